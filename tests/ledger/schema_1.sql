-- The ledger's schema of version 1, as programs before version 2 wrote it.
CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE campaign (
    id TEXT PRIMARY KEY,
    issue TEXT NOT NULL,
    round INTEGER NOT NULL,        -- 1; each “send --again” adds one
    frozen_at REAL NOT NULL,       -- seconds since the epoch, as all times here
    planned INTEGER NOT NULL,      -- rows frozen in the same transaction
    fingerprint TEXT NOT NULL,     -- editions and letterhead: what resume compares
    letterhead TEXT NOT NULL,      -- JSON: sender and list as frozen
    excluded TEXT NOT NULL         -- JSON: who of the list was left out, counts by reason
) WITHOUT ROWID;

CREATE TABLE edition (
    campaign TEXT NOT NULL REFERENCES campaign (id),
    language TEXT NOT NULL,
    content TEXT NOT NULL,         -- JSON, see render/edition.py
    PRIMARY KEY (campaign, language)
) WITHOUT ROWID;

CREATE TABLE delivery (
    id INTEGER PRIMARY KEY,
    campaign TEXT NOT NULL REFERENCES campaign (id),
    issue TEXT NOT NULL,
    round INTEGER NOT NULL,
    address TEXT NOT NULL,         -- Address.key
    tag BLOB NOT NULL,             -- keyed hash of the address, see message/keys.py
    name TEXT NOT NULL,
    language TEXT NOT NULL,        -- of the edition this person gets
    fields TEXT NOT NULL,          -- JSON: further columns of the list
    state TEXT NOT NULL CHECK (state IN ('accepted', 'attempting', 'claimed', 'deferred', 'expired', 'in_doubt', 'pending', 'rejected', 'suppressed')),
    attempts INTEGER NOT NULL DEFAULT 0,
    dated_at REAL,                 -- the Date header: first claim, kept on every attempt
    first_attempt_at REAL,         -- when retrying began
    next_attempt_at REAL NOT NULL DEFAULT 0,
    run TEXT,                      -- who holds the claim
    reply TEXT NOT NULL DEFAULT '',
    provider_id TEXT,
    changed_at REAL NOT NULL,
    UNIQUE (campaign, address)
);
-- An issue reaches an address once: a second copy cannot even be written down.
CREATE UNIQUE INDEX once ON delivery (issue, round, address)
    WHERE state IN ('accepted', 'attempting', 'claimed', 'deferred', 'in_doubt', 'pending');
CREATE INDEX queue ON delivery (campaign, state, next_attempt_at);

CREATE TABLE attempt (
    delivery INTEGER NOT NULL REFERENCES delivery (id),
    number INTEGER NOT NULL,
    run TEXT NOT NULL,
    started_at REAL NOT NULL,
    ended_at REAL,
    outcome TEXT,                  -- NULL: the answer was never written down
    reply TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (delivery, number)
) WITHOUT ROWID;

CREATE TABLE suppression (
    id INTEGER PRIMARY KEY,
    tag BLOB NOT NULL,             -- keyed hash: the list of who left names nobody
    reason TEXT NOT NULL,
    source TEXT NOT NULL,
    at REAL NOT NULL,
    UNIQUE (tag, reason)
);
-- Append-only: no import and no restored backup can bring back who left.
CREATE TRIGGER suppression_stays BEFORE DELETE ON suppression
    BEGIN SELECT RAISE(ABORT, 'suppressions are never deleted'); END;
CREATE TRIGGER suppression_is_final BEFORE UPDATE ON suppression
    BEGIN SELECT RAISE(ABORT, 'suppressions are never changed'); END;
PRAGMA user_version = 1;
