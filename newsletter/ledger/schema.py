"""The ledger's tables, and what of them the database itself keeps true.

docs/ledger.md says what each is for. A change of shape needs one more entry in
upgrade.MIGRATIONS.
"""

from __future__ import annotations

from newsletter.ledger.seal import FORGOTTEN_DOMAIN
from newsletter.ledger.states import HAS_OR_MAY_HAVE, TERMINAL, State, listed
from newsletter.reader_states import ReaderState

TRIALS = ("mailbox", "smtp-trial")
"""What ``run.transport`` says of trials: names of transports that deliver to nobody."""

SCHEMA = f"""
CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

-- REPLACE deletes without a word to the triggers for DELETE, so a row that stays
-- is guarded against its like being inserted, here and below.
CREATE TRIGGER name_stays BEFORE DELETE ON meta WHEN OLD.key IN ('identity', 'key_check')
    BEGIN SELECT RAISE(ABORT, 'a ledger keeps its name and its key'); END;
CREATE TRIGGER name_is_final BEFORE UPDATE ON meta WHEN OLD.key IN ('identity', 'key_check')
    BEGIN SELECT RAISE(ABORT, 'a ledger keeps its name and its key'); END;
CREATE TRIGGER name_is_new BEFORE INSERT ON meta
    WHEN NEW.key IN ('identity', 'key_check')
    AND EXISTS (SELECT 1 FROM meta WHERE key = NEW.key)
    BEGIN SELECT RAISE(ABORT, 'a ledger keeps its name and its key'); END;

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

-- What people and runs decide about a campaign while it goes on. Its row is
-- written last in the freeze: from then on the audience is sealed.
CREATE TABLE control (
    campaign TEXT PRIMARY KEY REFERENCES campaign (id),
    not_before REAL NOT NULL,      -- send --at; else the freeze
    not_after REAL NOT NULL,       -- too late from then on, unless a person says otherwise
    wave INTEGER NOT NULL,         -- deliveries of later waves wait for the canary
    version INTEGER NOT NULL,      -- of the editions that a first attempt gets; from 1
    held TEXT                      -- JSON: kind and words of each reason to wait; NULL: go on
) WITHOUT ROWID;

-- What was approved: version 1 with the freeze, one more with each correction.
CREATE TABLE version (
    campaign TEXT NOT NULL REFERENCES campaign (id),
    number INTEGER NOT NULL,
    made_at REAL NOT NULL,
    fingerprint TEXT NOT NULL,     -- of its editions and its letterhead
    letterhead TEXT NOT NULL,      -- JSON: sender and list as approved with it
    seal BLOB NOT NULL,            -- over campaign, letterhead and editions, see seal.py
    PRIMARY KEY (campaign, number)
) WITHOUT ROWID;

CREATE TABLE edition (
    campaign TEXT NOT NULL REFERENCES campaign (id),
    version INTEGER NOT NULL,
    language TEXT NOT NULL,
    content TEXT NOT NULL,         -- JSON, see render/edition.py
    PRIMARY KEY (campaign, version, language)
) WITHOUT ROWID;

CREATE TABLE delivery (
    id INTEGER PRIMARY KEY,
    campaign TEXT NOT NULL REFERENCES campaign (id),
    issue TEXT NOT NULL,
    round INTEGER NOT NULL,
    address TEXT NOT NULL,         -- Address.key
    domain TEXT NOT NULL,          -- of the address: pauses and limits are by domain
    tag BLOB NOT NULL,             -- keyed hash of the address, see message/keys.py
    message_tag BLOB NOT NULL,     -- keyed hash of campaign and address: names the letter
    name TEXT NOT NULL,
    language TEXT NOT NULL,        -- of the edition this person gets
    fields TEXT NOT NULL,          -- JSON: further columns of the list
    state TEXT NOT NULL CHECK (state IN {listed(State)}),
    wave INTEGER NOT NULL,         -- 0 seeds, 1 canary, 2 the rest
    version INTEGER,               -- of the edition they were first attempted with, for good
    resends INTEGER NOT NULL DEFAULT 0, -- how often a person had it mailed again
    attempts INTEGER NOT NULL DEFAULT 0,
    dated_at REAL,                 -- the Date header: first claim, kept on every attempt
    first_attempt_at REAL,         -- when retrying began
    next_attempt_at REAL NOT NULL DEFAULT 0,
    run TEXT,                      -- who holds the claim
    reply TEXT NOT NULL DEFAULT '',
    provider_id TEXT,
    changed_at REAL NOT NULL,
    seal BLOB NOT NULL,            -- over who it is and what they get, see seal.py
    UNIQUE (campaign, address)
);
-- An issue reaches an address once: a second copy cannot even be written down.
CREATE UNIQUE INDEX once ON delivery (issue, round, address)
    WHERE state IN {listed(HAS_OR_MAY_HAVE)};
CREATE INDEX queue ON delivery (campaign, state, wave, next_attempt_at);
CREATE INDEX of_domain ON delivery (campaign, domain);
CREATE UNIQUE INDEX of_message ON delivery (message_tag);
CREATE INDEX of_provider ON delivery (provider_id) WHERE provider_id IS NOT NULL;
-- Planned = the sum of the states: nobody can be taken out or slipped in later,
-- none becomes another's, and the number itself stays.
CREATE TRIGGER delivery_stays BEFORE DELETE ON delivery
    BEGIN SELECT RAISE(ABORT, 'deliveries are never deleted'); END;
CREATE TRIGGER delivery_is_its_own BEFORE UPDATE OF id, campaign, issue, round ON delivery
    BEGIN SELECT RAISE(ABORT, 'a delivery belongs to its campaign for good'); END;
-- Who it was may be erased once nothing is waited for, see personal_data.py.
CREATE TRIGGER delivery_is_frozen
    BEFORE UPDATE OF address, domain, tag, message_tag, name, language, fields, wave, seal
    ON delivery
    WHEN NEW.domain <> '{FORGOTTEN_DOMAIN}' OR NEW.address NOT LIKE '%@{FORGOTTEN_DOMAIN}'
    OR NEW.name <> '' OR NEW.fields <> '{{}}'
    OR NEW.tag <> OLD.tag OR NEW.language <> OLD.language OR NEW.wave <> OLD.wave
    OR OLD.state IN {listed(frozenset(State) - TERMINAL)}
    BEGIN SELECT RAISE(ABORT, 'who gets what is frozen'); END;
CREATE TRIGGER delivery_keeps_its_version BEFORE UPDATE OF version ON delivery
    WHEN NEW.version != OLD.version
    BEGIN SELECT RAISE(ABORT, 'a delivery keeps the version it was attempted with'); END;
CREATE TRIGGER audience_is_sealed BEFORE INSERT ON delivery
    WHEN EXISTS (SELECT 1 FROM control WHERE campaign = NEW.campaign)
    BEGIN SELECT RAISE(ABORT, 'the audience is sealed'); END;
CREATE TRIGGER seal_stays BEFORE DELETE ON control
    BEGIN SELECT RAISE(ABORT, 'the audience is sealed'); END;
CREATE TRIGGER seal_is_put_once BEFORE INSERT ON control
    WHEN EXISTS (SELECT 1 FROM control WHERE campaign = NEW.campaign)
    BEGIN SELECT RAISE(ABORT, 'the audience is sealed'); END;
CREATE TRIGGER seal_is_its_own BEFORE UPDATE OF campaign ON control
    BEGIN SELECT RAISE(ABORT, 'the audience is sealed'); END;
CREATE TRIGGER campaign_stays BEFORE DELETE ON campaign
    BEGIN SELECT RAISE(ABORT, 'campaigns are never deleted'); END;
CREATE TRIGGER campaign_is_frozen BEFORE UPDATE ON campaign
    BEGIN SELECT RAISE(ABORT, 'campaigns are frozen'); END;
CREATE TRIGGER campaign_is_new BEFORE INSERT ON campaign
    WHEN EXISTS (SELECT 1 FROM campaign WHERE id = NEW.id)
    BEGIN SELECT RAISE(ABORT, 'campaigns are frozen'); END;
CREATE TRIGGER version_stays BEFORE DELETE ON version
    BEGIN SELECT RAISE(ABORT, 'what was approved is kept'); END;
CREATE TRIGGER version_is_frozen BEFORE UPDATE ON version
    BEGIN SELECT RAISE(ABORT, 'what was approved is never changed'); END;
CREATE TRIGGER version_is_new BEFORE INSERT ON version
    WHEN EXISTS (SELECT 1 FROM version WHERE campaign = NEW.campaign AND number = NEW.number)
    BEGIN SELECT RAISE(ABORT, 'what was approved is never changed'); END;
CREATE TRIGGER edition_stays BEFORE DELETE ON edition
    BEGIN SELECT RAISE(ABORT, 'what was approved is kept'); END;
CREATE TRIGGER edition_is_frozen BEFORE UPDATE ON edition
    BEGIN SELECT RAISE(ABORT, 'what was approved is never changed'); END;
CREATE TRIGGER edition_is_new BEFORE INSERT ON edition
    WHEN EXISTS (SELECT 1 FROM edition WHERE campaign = NEW.campaign
                 AND version = NEW.version AND language = NEW.language)
    BEGIN SELECT RAISE(ABORT, 'what was approved is never changed'); END;

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

-- One request to a provider that took several messages, as needed to repeat it.
CREATE TABLE call (
    key TEXT PRIMARY KEY,          -- its idempotency key
    campaign TEXT NOT NULL REFERENCES campaign (id),
    transport TEXT NOT NULL,
    place TEXT NOT NULL,           -- Transport.place: the account's endpoint
    members TEXT NOT NULL,         -- JSON: ids of deliveries, in the request's order
    digest TEXT NOT NULL,          -- SHA-256 of its body, hex
    first_at REAL NOT NULL
) WITHOUT ROWID;

CREATE TABLE run (
    id TEXT PRIMARY KEY,
    campaign TEXT NOT NULL REFERENCES campaign (id),
    transport TEXT NOT NULL,
    place TEXT NOT NULL,
    started_at REAL NOT NULL,
    seen_at REAL NOT NULL,         -- it was alive
    ended_at REAL,
    ending TEXT NOT NULL DEFAULT ''  -- why it ended, in words
) WITHOUT ROWID;

-- How fast mail may go; outlives the run that learned it.
CREATE TABLE bucket (
    name TEXT PRIMARY KEY,         -- a Transport.place, or “domain example.org”
    tokens REAL NOT NULL,
    filled_at REAL NOT NULL,
    per_second REAL,               -- NULL: no limit known
    blocked_until REAL NOT NULL DEFAULT 0,
    learned TEXT NOT NULL DEFAULT ''  -- JSON: what else pacing keeps in mind
) WITHOUT ROWID;

-- What was learned after the attempt: a provider's word, a bounce, a complaint.
CREATE TABLE event (
    id INTEGER PRIMARY KEY,
    delivery INTEGER NOT NULL REFERENCES delivery (id),
    kind TEXT NOT NULL,
    source TEXT NOT NULL,
    at REAL NOT NULL,
    detail TEXT NOT NULL DEFAULT '',
    mark TEXT NOT NULL UNIQUE      -- the same news twice is one event
);
CREATE INDEX of_delivery ON event (delivery);

-- Who left, and what became of it. Whoever has a leave without a void, a lift or a
-- later return is not mailed, see suppressions.py.
CREATE TABLE suppression (
    id BLOB NOT NULL,              -- 16 bytes: the same event wherever it is written down
    at REAL NOT NULL,              -- of a return: when its form was filled in
    kind TEXT NOT NULL CHECK (kind IN ('leave', 'void', 'lift', 'return')),
    tag BLOB,                      -- keyed hash: the list of who left names nobody
    about BLOB,                    -- of a void or lift: the leave's id
    reason TEXT NOT NULL,          -- of a leave a word, of a lift a person's words
    source TEXT NOT NULL,
    evidence TEXT NOT NULL,        -- JSON: what it rests on, without any address
    PRIMARY KEY (id, at),
    CHECK ((kind IN ('leave', 'return')) = (tag IS NOT NULL)),
    CHECK ((kind IN ('void', 'lift')) = (about IS NOT NULL))
) WITHOUT ROWID;
CREATE INDEX of_reader ON suppression (tag, kind);
CREATE INDEX of_leave ON suppression (about, kind);
-- Append-only: no import and no restored backup can bring back who left.
CREATE TRIGGER suppression_stays BEFORE DELETE ON suppression
    BEGIN SELECT RAISE(ABORT, 'suppressions are never deleted'); END;
CREATE TRIGGER suppression_is_final BEFORE UPDATE ON suppression
    BEGIN SELECT RAISE(ABORT, 'suppressions are never changed'); END;
CREATE TRIGGER suppression_is_new BEFORE INSERT ON suppression
    WHEN EXISTS (SELECT 1 FROM suppression WHERE id = NEW.id AND at = NEW.at)
    BEGIN SELECT RAISE(ABORT, 'suppressions are never changed'); END;

-- What was read from the public log and waits for a key or a version that understands it.
CREATE TABLE log_entry (
    id BLOB PRIMARY KEY,
    box BLOB NOT NULL              -- sealed, see web/seal.py
) WITHOUT ROWID;

-- Why readers left, without reader and time, see leave_reasons.py.
CREATE TABLE leave_reason (
    id BLOB PRIMARY KEY,           -- 16 bytes: the public log's entry
    issue TEXT NOT NULL,           -- empty: not known, or of several issues
    reason TEXT NOT NULL,
    words TEXT NOT NULL,
    shown INTEGER NOT NULL         -- 1 once enough of them wait together
) WITHOUT ROWID;

-- What readers changed of what they get, see preferences.py.
CREATE TABLE preference (
    id BLOB PRIMARY KEY,           -- 16 bytes: the public log's entry
    at REAL NOT NULL,
    tag BLOB,                      -- keyed hash of the address; NULL: erased
    changes TEXT NOT NULL          -- JSON: language, topics, pause, as far as they changed
) WITHOUT ROWID;
CREATE INDEX preference_of ON preference (tag);
CREATE TRIGGER preference_stays BEFORE DELETE ON preference
    BEGIN SELECT RAISE(ABORT, 'a change of preferences is kept, or erased'); END;
CREATE TRIGGER preference_is_final BEFORE UPDATE ON preference
    WHEN NEW.id <> OLD.id OR NEW.at <> OLD.at OR NEW.tag IS NOT NULL OR NEW.changes <> '{{}}'
    BEGIN SELECT RAISE(ABORT, 'a change of preferences is kept, or erased'); END;
CREATE TRIGGER preference_is_new BEFORE INSERT ON preference
    WHEN EXISTS (SELECT 1 FROM preference WHERE id = NEW.id)
    BEGIN SELECT RAISE(ABORT, 'a change of preferences is kept, or erased'); END;

-- Who signed up on the public side, see sign_ups.py.
CREATE TABLE sign_up (
    id BLOB PRIMARY KEY,           -- 16 bytes: a digest of what the reader's link held
    tag BLOB,                      -- keyed hash of the address; NULL: erased
    address TEXT NOT NULL,
    name TEXT NOT NULL,
    language TEXT NOT NULL,
    topics TEXT NOT NULL,          -- JSON: those chosen; none: everything
    consent TEXT NOT NULL,         -- JSON: digests of words and mail, page, Message-ID
    form_at REAL NOT NULL,
    at REAL NOT NULL               -- when it was confirmed
) WITHOUT ROWID;
CREATE INDEX sign_up_of ON sign_up (tag);
CREATE TRIGGER sign_up_stays BEFORE DELETE ON sign_up
    BEGIN SELECT RAISE(ABORT, 'a sign-up is kept, or erased'); END;
CREATE TRIGGER sign_up_is_final BEFORE UPDATE ON sign_up
    WHEN NEW.id <> OLD.id OR NEW.form_at <> OLD.form_at OR NEW.at <> OLD.at
    OR NEW.address <> '' OR NEW.name <> ''
    OR NOT (NEW.tag IS NULL AND NEW.consent = '{{}}'
            OR NEW.tag = OLD.tag AND NEW.consent = OLD.consent)
    BEGIN SELECT RAISE(ABORT, 'a sign-up is kept, or erased'); END;
CREATE TRIGGER sign_up_is_new BEFORE INSERT ON sign_up
    WHEN EXISTS (SELECT 1 FROM sign_up WHERE id = NEW.id)
    BEGIN SELECT RAISE(ABORT, 'a sign-up is kept, or erased'); END;

-- Words that readers tick when they sign up.
CREATE TABLE wording (
    digest TEXT PRIMARY KEY,
    language TEXT NOT NULL,
    version INTEGER NOT NULL,      -- 1 for the first in the language
    words TEXT NOT NULL,
    at REAL NOT NULL
) WITHOUT ROWID;

-- Who had left, signed up again, and was asked whether that was them.
CREATE TABLE return_question (
    tag BLOB NOT NULL,
    at REAL NOT NULL,
    PRIMARY KEY (tag, at)
) WITHOUT ROWID;

-- Mails of a bounce mailbox that were read, see read_mails.py.
CREATE TABLE read_mail (
    id BLOB PRIMARY KEY,           -- 16 bytes: a digest of the mailbox and the mail's name in it
    understood INTEGER NOT NULL    -- 1: what it told is applied; 0: it is kept for a person
) WITHOUT ROWID;

-- Webhooks of providers that wait to be verified or for their message, see webhooks.py.
CREATE TABLE webhook (
    id BLOB PRIMARY KEY,           -- 16 bytes: the public log's entry
    at REAL NOT NULL,              -- when it arrived at the server
    box BLOB NOT NULL,             -- sealed, see web/seal.py
    waits TEXT NOT NULL            -- tags of messages that are not known yet; empty: not applied
);

-- Files of readers that were imported together, see imports.py.
CREATE TABLE import (
    id INTEGER PRIMARY KEY,        -- from 1
    at REAL NOT NULL,
    files TEXT NOT NULL,           -- JSON: name, digest, program, counts; no address
    reverted_at REAL               -- NULL: what it says counts
);
CREATE TRIGGER import_stays BEFORE DELETE ON import
    BEGIN SELECT RAISE(ABORT, 'an import is kept'); END;
CREATE TRIGGER import_is_final BEFORE UPDATE ON import
    WHEN NEW.id <> OLD.id OR NEW.at <> OLD.at OR NEW.files <> OLD.files
    OR OLD.reverted_at IS NOT NULL
    BEGIN SELECT RAISE(ABORT, 'an import is reverted once, and not changed'); END;
CREATE TRIGGER import_is_new BEFORE INSERT ON import
    WHEN EXISTS (SELECT 1 FROM import WHERE id = NEW.id)
    BEGIN SELECT RAISE(ABORT, 'an import is kept'); END;

-- What an import says of each reader. Who must not be mailed is not named.
CREATE TABLE imported (
    import INTEGER NOT NULL REFERENCES import (id),
    number INTEGER NOT NULL,       -- among the readers of the import
    tag BLOB,                      -- keyed hash of the address; NULL: erased
    state TEXT NOT NULL CHECK (state IN ({", ".join(f"'{state}'" for state in ReaderState)})),
    address TEXT NOT NULL,         -- empty: not on the list by this import, or erased
    name TEXT NOT NULL,
    language TEXT NOT NULL,        -- empty: none was named
    fields TEXT NOT NULL,          -- JSON: the columns that [audience] fields names
    consent TEXT NOT NULL,         -- JSON: basis and date, as the file has them
    PRIMARY KEY (import, number)
) WITHOUT ROWID;
CREATE INDEX imported_of ON imported (tag);
CREATE TRIGGER imported_stays BEFORE DELETE ON imported
    BEGIN SELECT RAISE(ABORT, 'what was imported is kept, or erased'); END;
CREATE TRIGGER imported_is_final BEFORE UPDATE ON imported
    WHEN NEW.import <> OLD.import OR NEW.number <> OLD.number OR NEW.state <> OLD.state
    OR NEW.tag IS NOT OLD.tag AND NEW.tag IS NOT NULL
    OR NEW.address <> '' OR NEW.name <> '' OR NEW.fields <> '{{}}' OR NEW.consent <> '{{}}'
    BEGIN SELECT RAISE(ABORT, 'what was imported is kept, or erased'); END;
CREATE TRIGGER imported_is_new BEFORE INSERT ON imported
    WHEN EXISTS (SELECT 1 FROM imported WHERE import = NEW.import AND number = NEW.number)
    BEGIN SELECT RAISE(ABORT, 'what was imported is kept, or erased'); END;
"""
