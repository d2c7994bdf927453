"""The send record's tables, and the triggers by which they follow the ledger's."""

from __future__ import annotations

from newsletter.ledger.states import State
from newsletter.ledger.upgrade import events_of, statements

COLUMNS = (
    "id, campaign, reader, tag, language, state, wave, version, resends, attempts, dated_at,"
    " first_attempt_at, next_attempt_at, changed_at"
)
"""What a delivery is in both files, in the order of the table."""
FROM_LEDGER = COLUMNS.replace("reader", "reader_of(address)")
"""The same, as the ledger has it."""
CAMPAIGN = "id, issue, round, frozen_at, planned, fingerprint, letterhead, excluded"
"""What a campaign is in both files."""

SCHEMA = """
CREATE TABLE record_meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;
INSERT INTO record_meta VALUES ('id', lower(hex(randomblob(16))));
-- Other ledgers of the list whose deliveries are in here.
CREATE TABLE record_ledger (
    identity TEXT PRIMARY KEY
) WITHOUT ROWID;
CREATE TABLE record_campaign (
    id TEXT PRIMARY KEY,
    issue TEXT NOT NULL,
    round INTEGER NOT NULL,
    frozen_at REAL NOT NULL,
    planned INTEGER,               -- NULL: nobody knows who was in it
    fingerprint TEXT NOT NULL,
    letterhead TEXT NOT NULL,
    excluded TEXT NOT NULL,
    not_before REAL NOT NULL,
    not_after REAL NOT NULL,
    held TEXT
) WITHOUT ROWID;
CREATE TABLE record_version (
    campaign TEXT NOT NULL,
    number INTEGER NOT NULL,
    made_at REAL NOT NULL,
    fingerprint TEXT NOT NULL,
    letterhead TEXT NOT NULL,
    seal BLOB NOT NULL,
    PRIMARY KEY (campaign, number)
) WITHOUT ROWID;
CREATE TABLE record_edition (
    campaign TEXT NOT NULL,
    version INTEGER NOT NULL,
    language TEXT NOT NULL,
    content TEXT NOT NULL,
    PRIMARY KEY (campaign, version, language)
) WITHOUT ROWID;
CREATE TABLE record_delivery (
    id INTEGER PRIMARY KEY,        -- the ledger's own; below 0: it has no such row
    campaign TEXT NOT NULL,
    reader BLOB NOT NULL,          -- keyed hash of the address as it is spelled
    tag BLOB NOT NULL,             -- that by which suppressions know them
    language TEXT NOT NULL,
    state TEXT NOT NULL,
    wave INTEGER NOT NULL,
    version INTEGER,
    resends INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    dated_at REAL,
    first_attempt_at REAL,
    next_attempt_at REAL NOT NULL,
    changed_at REAL NOT NULL
);
CREATE TABLE record_suppression (
    id BLOB NOT NULL,
    at REAL NOT NULL,
    kind TEXT NOT NULL,
    tag BLOB,
    about BLOB,
    reason TEXT NOT NULL,
    source TEXT NOT NULL,
    evidence TEXT NOT NULL,
    PRIMARY KEY (id, at)
) WITHOUT ROWID;
"""
MIGRATIONS = (
    # 1 to 2: suppressions are events.
    (
        "ALTER TABLE record.record_suppression RENAME TO old_suppression",
        *(
            statement.replace("CREATE TABLE ", "CREATE TABLE record.")
            for statement in statements(SCHEMA)
            if "record_suppression" in statement
        ),
        f"INSERT INTO record_suppression {events_of('record.old_suppression')}",
        "DROP TABLE record.old_suppression",
    ),
)
"""From each version to the next, as in :data:`newsletter.ledger.upgrade.MIGRATIONS`."""

# A claim is left out: nothing is handed over, and pending says as much.
FOLLOW = (
    f"""CREATE TEMP TRIGGER record_state AFTER UPDATE ON main.delivery
        WHEN NEW.state <> '{State.CLAIMED}' BEGIN
        UPDATE record_delivery SET state = NEW.state, wave = NEW.wave, version = NEW.version,
          resends = NEW.resends, attempts = NEW.attempts, dated_at = NEW.dated_at,
          first_attempt_at = NEW.first_attempt_at, next_attempt_at = NEW.next_attempt_at,
          changed_at = NEW.changed_at
        WHERE id = NEW.id; END""",
    """CREATE TEMP TRIGGER record_control AFTER UPDATE ON main.control BEGIN
        UPDATE record_campaign SET not_before = NEW.not_before, not_after = NEW.not_after,
          held = NEW.held
        WHERE id = NEW.campaign; END""",
    """CREATE TEMP TRIGGER record_version_made AFTER INSERT ON main.version
        WHEN EXISTS (SELECT 1 FROM record_campaign WHERE id = NEW.campaign) BEGIN
        INSERT OR REPLACE INTO record_version VALUES (NEW.campaign, NEW.number, NEW.made_at,
          NEW.fingerprint, NEW.letterhead, NEW.seal); END""",
    """CREATE TEMP TRIGGER record_edition_made AFTER INSERT ON main.edition
        WHEN EXISTS (SELECT 1 FROM record_campaign WHERE id = NEW.campaign) BEGIN
        INSERT OR REPLACE INTO record_edition VALUES (NEW.campaign, NEW.version, NEW.language,
          NEW.content); END""",
    """CREATE TEMP TRIGGER record_leave AFTER INSERT ON main.suppression BEGIN
        INSERT OR IGNORE INTO record_suppression VALUES (NEW.id, NEW.at, NEW.kind, NEW.tag,
          NEW.about, NEW.reason, NEW.source, NEW.evidence); END""",
)
