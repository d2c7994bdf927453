"""What the send record tells a ledger that knows less: one that is new, restored or copied.

Its methods run in the order in which they stand here, inside one transaction
that the caller opened.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from newsletter.ledger.database import Database
from newsletter.ledger.plan import Wave
from newsletter.ledger.reading import fields_json
from newsletter.ledger.record import OPEN, SendRecord
from newsletter.ledger.schema import TRIALS
from newsletter.ledger.seal import DELIVERY, broken, version_seal
from newsletter.ledger.states import HAS_OR_MAY_HAVE, State, listed
from newsletter.message.model import Recipient

# Who has it, who may have it, who will not get it, who waits.
_FURTHER = (
    (State.ACCEPTED,),
    (State.ATTEMPTING, State.IN_DOUBT),
    (State.REJECTED, State.EXPIRED, State.SUPPRESSED),
)


def _furthest(state: str) -> str:
    """An SQL expression: the larger, the further a mail in that state is."""
    cases = "".join(
        f" WHEN {state} IN {listed(states)} THEN {-number}"
        for number, states in enumerate(_FURTHER)
    )
    return f"CASE{cases} ELSE {-len(_FURTHER)} END"


class Recovery:
    """Brings the ledger up to date from its send record.

    Args:
        database: the ledger's, the record attached to it.
        record: that record.
    """

    def __init__(self, database: Database, record: SendRecord) -> None:
        self._database = database
        self._record = record

    def collides(self) -> bool:
        """Whether a trial stands in the way of a campaign that the record knows.

        Somebody is in a campaign that the record never saw, and by the record in another one
        of the same round, which the ledger lacks; they can be in one alone.
        """
        with self._database.errors():
            return bool(
                self._database.execute(
                    "SELECT EXISTS (SELECT 1 FROM record_delivery AS r"
                    " JOIN record_campaign AS c ON c.id = r.campaign"
                    " JOIN main.delivery AS d ON d.issue = c.issue AND d.round = c.round"
                    " AND reader_of(d.address) = r.reader"
                    " WHERE c.id NOT IN (SELECT id FROM main.campaign)"
                    " AND d.campaign NOT IN (SELECT id FROM record_campaign)"
                    f" AND d.state IN {listed(HAS_OR_MAY_HAVE)})"
                ).fetchone()[0]
            )

    def let_go(self) -> None:
        """Let go of the ledger that is lost; inside the caller's transaction."""
        execute = self._database.execute
        (highest,) = execute("SELECT COALESCE(MAX(ABS(id)), 0) FROM record_delivery").fetchone()
        execute("UPDATE record_delivery SET id = -(id + ?) WHERE id > 0", (highest,))
        execute("CREATE INDEX record.record_reader ON record_delivery (campaign, reader)")

    def doubt(self, *, all_open: bool) -> None:
        """Put in doubt who was being attempted; inside the caller's transaction.

        Args:
            all_open: also who waits: the last moments before a power cut may be missing here.
        """
        states = (State.ATTEMPTING, *(OPEN if all_open else ()))
        self._database.execute(
            f"UPDATE record_delivery SET state = '{State.IN_DOUBT}' WHERE state IN {listed(states)}"
        )

    def bring_up_to_date(self) -> int:
        """Give the ledger's campaigns the versions, holds and states that the record knows.

        Inside the caller's transaction. No step of the state table: each row
        becomes what it became in the ledger that is lost.

        Returns:
            How many rows changed.
        """
        execute = self._database.execute
        self._take_versions()
        self._take_controls("c.held")
        same = "r.campaign = delivery.campaign AND r.reader = reader_of(delivery.address)"
        # A delivery keeps the version of its first attempt, and the record knows of that one.
        execute(
            f"UPDATE main.delivery SET version = NULL FROM record_delivery AS r WHERE {same}"
            " AND r.version IS NOT delivery.version"
        )
        return execute(
            "UPDATE main.delivery SET state = r.state, version = r.version,"
            " resends = r.resends, attempts = MAX(r.attempts, delivery.attempts),"
            " dated_at = r.dated_at, first_attempt_at = r.first_attempt_at,"
            " next_attempt_at = r.next_attempt_at, changed_at = r.changed_at, run = NULL,"
            " reply = 'Known from the send record.'"
            f" FROM record_delivery AS r WHERE {same}"
            " AND (r.state <> delivery.state OR r.version IS NOT delivery.version)"
        ).rowcount

    def join(self) -> int:
        """Join what was sent with this record and what was sent with another one.

        Inside the caller's transaction. Each reader gets the further of the two
        states, whichever campaign of the issue's round it comes from: whoever
        has the mail, or may have it, by either of the two is mailed by neither.

        Returns:
            How many rows changed.
        """
        self._renumber_versions()
        self._take_versions()
        self._take_controls("COALESCE(control.held, c.held)")
        return self._database.execute(
            "UPDATE main.delivery SET state = r.state, attempts = MAX(r.attempts,"
            " delivery.attempts), version = COALESCE(delivery.version,"
            " CASE WHEN r.campaign = delivery.campaign THEN r.version END),"
            " dated_at = COALESCE(delivery.dated_at, r.dated_at),"
            " first_attempt_at = COALESCE(delivery.first_attempt_at, r.first_attempt_at),"
            " changed_at = r.changed_at, run = NULL, reply = 'Known from the send record.'"
            # With MAX, SQLite takes the other columns from the row that holds it.
            f" FROM (SELECT c.issue, c.round, d.*, MAX({_furthest('d.state')}) AS furthest"
            " FROM record_delivery AS d JOIN record_campaign AS c ON c.id = d.campaign"
            " GROUP BY c.issue, c.round, d.reader) AS r"
            " WHERE r.issue = delivery.issue AND r.round = delivery.round"
            " AND r.reader = reader_of(delivery.address)"
            f" AND r.furthest > {_furthest('delivery.state')}"
            # Of several rows of a reader only the last may be raised: they have one mail.
            " AND NOT EXISTS (SELECT 1 FROM main.delivery AS other"
            " WHERE other.issue = delivery.issue AND other.round = delivery.round"
            " AND other.address = delivery.address AND other.id <> delivery.id"
            f" AND (other.id > delivery.id OR other.state IN {listed(HAS_OR_MAY_HAVE)}))"
        ).rowcount

    def _renumber_versions(self) -> None:
        """Give a correction that was made here a number of its own, where one made there has it."""
        execute = self._database.execute
        for campaign, number, print_, letterhead in execute(
            "SELECT r.campaign, r.number, r.fingerprint, r.letterhead"
            " FROM record_version AS r JOIN main.version AS m ON m.campaign = r.campaign"
            " AND m.number = r.number WHERE m.fingerprint <> r.fingerprint"
            " ORDER BY r.campaign, r.number DESC"
        ).fetchall():
            (highest,) = execute(
                "SELECT MAX(number) FROM (SELECT campaign, number FROM main.version UNION ALL"
                " SELECT campaign, number FROM record_version) WHERE campaign = ?",
                (campaign,),
            ).fetchone()
            free = highest + 1
            contents = self._contents(campaign, number)
            frozen = execute(
                "SELECT id, issue, round, planned FROM record_campaign WHERE id = ?", (campaign,)
            ).fetchone()
            sealed = version_seal(
                self._database.seal_key,
                frozen,
                number=free,
                fingerprint=print_,
                letterhead=letterhead,
                contents=contents,
            )
            execute(
                "UPDATE record_version SET number = ?, seal = ? WHERE campaign = ? AND number = ?",
                (free, sealed, campaign, number),
            )
            for table in ("edition", "delivery"):
                execute(
                    f"UPDATE record_{table} SET version = ? WHERE campaign = ? AND version = ?",
                    (free, campaign, number),
                )

    def _contents(self, campaign: str, version: int) -> dict[str, str]:
        return dict(
            self._database.execute(
                "SELECT language, content FROM record_edition WHERE campaign = ? AND version = ?",
                (campaign, version),
            ).fetchall()
        )

    def _take_versions(self) -> None:
        for table, key in (("version", "number"), ("edition", "version")):
            self._database.execute(
                f"INSERT INTO main.{table} SELECT * FROM record_{table} AS r"
                " WHERE campaign IN (SELECT id FROM main.campaign) AND NOT EXISTS"
                f" (SELECT 1 FROM main.{table} AS m"
                f" WHERE m.campaign = r.campaign AND m.{key} = r.{key})"
            )

    def _take_controls(self, held: str) -> None:
        self._database.execute(
            f"UPDATE main.control SET held = {held}, not_before = c.not_before,"
            " not_after = c.not_after, version = (SELECT number FROM main.version AS v"
            " WHERE v.campaign = c.id ORDER BY made_at DESC, number DESC LIMIT 1)"
            " FROM record_campaign AS c"
            " WHERE c.id = control.campaign AND c.planned IS NOT NULL"
        )

    def rebuild(
        self, readers: Iterable[Recipient], *, joined: bool = False
    ) -> dict[str, tuple[int, int]]:
        """Give the ledger the campaigns that it lacks, with those who are on the list today.

        Inside the caller's transaction. A campaign of which nobody is on the
        list is left out; the record goes on to know who has it.

        Args:
            readers: the list; which edition is theirs the record knows.
            joined: :meth:`join` went before. Whoever has their mail by another campaign of
                the round, or may have it, stays in that one.

        Returns:
            By campaign, how many were put into the ledger and how many are remembered.
        """
        execute = self._database.execute
        execute(
            "CREATE TEMP TABLE found (reader BLOB, tag BLOB, address TEXT PRIMARY KEY,"
            " domain TEXT, name TEXT, fields TEXT) WITHOUT ROWID"
        )
        self._database.executemany(
            "INSERT OR IGNORE INTO temp.found VALUES (reader_of(?2), ?1, ?2, ?3, ?4, ?5)",
            map(self._found, readers),
        )
        execute("CREATE INDEX temp.found_reader ON found (reader)")
        rebuilt = {}
        for campaign in sorted(self._record.missing()):
            if counts := self._rebuild(campaign, joined=joined):
                rebuilt[campaign] = counts
        execute("DROP TABLE temp.found")
        return rebuilt

    def _found(self, reader: Recipient) -> tuple[object, ...]:
        return (
            self._database.keys.address_tag(reader.address),
            *(reader.address.key, reader.address.domain, reader.name, fields_json(reader)),
        )

    def _rebuild(self, campaign: str, *, joined: bool) -> tuple[int, int] | None:
        execute = self._database.execute
        theirs = (
            " FROM record_delivery AS r JOIN record_campaign AS c ON c.id = r.campaign"
            " JOIN temp.found AS f ON f.reader = r.reader WHERE r.campaign = ?"
        )
        if joined:
            theirs += (
                " AND NOT EXISTS (SELECT 1 FROM main.delivery AS d WHERE d.issue = c.issue"
                " AND d.round = c.round AND d.address = f.address"
                f" AND d.state IN {listed(HAS_OR_MAY_HAVE)})"
            )
        (found,) = execute(f"SELECT COUNT(*){theirs}", (campaign,)).fetchone()
        (known,) = execute(
            "SELECT COUNT(*) FROM record_delivery WHERE campaign = ?", (campaign,)
        ).fetchone()
        if not found:
            return None
        execute(
            "INSERT INTO main.campaign SELECT id, issue, round, frozen_at, ?, fingerprint,"
            " letterhead, excluded FROM record_campaign WHERE id = ?",
            (found, campaign),
        )
        self._rebuild_versions(campaign, planned=found)
        frozen = (
            "r.campaign, c.issue, c.round, f.address, f.domain, r.tag, f.name, r.language,"
            " f.fields, r.wave"
        )
        execute(
            f"INSERT INTO main.delivery ({DELIVERY}, message_tag, seal, state, version, resends,"
            " attempts, dated_at, first_attempt_at, next_attempt_at, reply, changed_at)"
            f" SELECT {frozen}, message_tag_of(r.campaign, f.address), seal_of({frozen}),"
            f" CASE WHEN r.state = '{State.CLAIMED}' THEN '{State.PENDING}' ELSE r.state END,"
            " r.version, r.resends, r.attempts, r.dated_at, r.first_attempt_at,"
            " r.next_attempt_at, 'Known from the send record.',"
            f" r.changed_at{theirs} ORDER BY f.address",
            (campaign,),
        )
        execute(
            "INSERT INTO main.control SELECT id, not_before, not_after, COALESCE((SELECT MIN(wave)"
            f" FROM main.delivery WHERE campaign = id AND state IN {listed(OPEN)}), ?),"
            " (SELECT MAX(number) FROM record_version WHERE campaign = id), held"
            " FROM record_campaign WHERE id = ?",
            (Wave.REST, campaign),
        )
        # A campaign of which no run is known would count as one that nobody was mailed in.
        execute(
            "INSERT INTO main.run (id, campaign, transport, place, started_at, seen_at, ended_at,"
            " ending) SELECT 'rebuilt ' || id, id, 'record', 'the send record', frozen_at,"
            " frozen_at, frozen_at, 'Known from the send record.' FROM record_campaign"
            " WHERE id = ?",
            (campaign,),
        )
        return found, known

    def _rebuild_versions(self, campaign: str, *, planned: int) -> None:
        """What was approved, held against its seals and sealed for the new number of recipients.

        Raises:
            LedgerRefused: something is not what was frozen.
        """
        execute, key = self._database.execute, self._database.seal_key
        execute("INSERT INTO main.edition SELECT * FROM record_edition WHERE campaign = ?",
                (campaign,))  # fmt: skip
        for issue, round_, then, number, made_at, print_, letterhead, sealed in execute(
            "SELECT c.issue, c.round, c.planned, v.number, v.made_at, v.fingerprint, v.letterhead,"
            " v.seal FROM record_version AS v JOIN record_campaign AS c ON c.id = v.campaign"
            " WHERE c.id = ?",
            (campaign,),
        ).fetchall():
            contents = self._contents(campaign, number)
            made = partial(
                version_seal,
                key,
                number=number,
                fingerprint=print_,
                letterhead=letterhead,
                contents=contents,
            )
            if made((campaign, issue, round_, then)) != sealed:
                raise broken(campaign, "A version of the mail in the send record")
            execute(
                "INSERT INTO main.version VALUES (?, ?, ?, ?, ?, ?)",
                (
                    campaign,
                    number,
                    made_at,
                    print_,
                    letterhead,
                    made((campaign, issue, round_, planned)),
                ),
            )

    def take_rows(self) -> None:
        """Put the ledger's rows in place of one's own; inside the caller's transaction."""
        execute = self._database.execute
        execute(
            "DELETE FROM record_delivery WHERE (campaign, reader) IN"
            " (SELECT campaign, reader_of(address) FROM main.delivery)"
        )
        execute("DROP INDEX record.record_reader")
        # A new record knows no campaign yet; whatever left is remembered from here on.
        for (campaign,) in execute(
            "SELECT DISTINCT campaign FROM main.run WHERE transport NOT IN (?, ?)", TRIALS
        ).fetchall():
            self._record.include(campaign)
        self._record.copy("SELECT id FROM record_campaign")
