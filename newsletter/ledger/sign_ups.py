"""Who signed up on the public side, with the record of their consent.

Rows are added by the digest of what the reader's link held, so a sign-up that is told
twice counts once. An erased one keeps its id, so that it is not taken in again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from newsletter.addresses import Address, AddressError
from newsletter.clock import moment_at
from newsletter.ledger.database import Database
from newsletter.ledger.suppressions import TOMBSTONES

_COLUMNS = "id, address, name, language, topics, consent, form_at, at"


@dataclass(frozen=True, slots=True)
class SignUp:
    """A sign-up that its reader confirmed.

    Attributes:
        id: 16 bytes, a digest of what the link held.
        address: as they typed it.
        name: may be empty.
        language: of the newsletter they want, and of the form and mail.
        topics: those they chose; none: everything.
        consent: what else proves it: ``wording`` and ``mail`` (digests), ``page``,
            ``message_id``.
        form_at: when they sent the form, aware, in UTC.
        at: when they confirmed.
    """

    id: bytes
    address: Address
    name: str
    language: str
    topics: tuple[str, ...]
    consent: Mapping[str, str]
    form_at: datetime
    at: datetime


@dataclass(frozen=True, slots=True)
class Wording:
    """Words that readers ticked.

    Attributes:
        language: of the words.
        version: 1 for the first that this list had in the language.
        words: what stood beside the box.
    """

    language: str
    version: int
    words: str


class SignUps:
    """The table of sign-ups, and what belongs to it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, sign_up: SignUp, tag: bytes) -> bool:
        """Add one; inside the caller's transaction.

        Args:
            sign_up: confirmed.
            tag: keyed hash of its address.

        Returns:
            Whether it was new, and not erased at its reader's wish.

        Raises:
            LedgerRefused: it cannot be written.
        """
        values = (
            str(sign_up.address),
            sign_up.name,
            sign_up.language,
            json.dumps(sign_up.topics),
            json.dumps(dict(sign_up.consent), ensure_ascii=False),
            sign_up.form_at.timestamp(),
            sign_up.at.timestamp(),
        )
        return (
            self._database.execute(
                f"INSERT INTO sign_up (tag, {_COLUMNS}) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8,"
                " ?9 WHERE NOT EXISTS (SELECT 1 FROM sign_up WHERE id = ?2)"
                f" AND NOT EXISTS ({TOMBSTONES} AND leave.tag = ?1 AND leave.at >= ?8)",
                (tag, sign_up.id, *values),
            ).rowcount
            == 1
        )

    def all(self) -> list[SignUp]:
        """All that are not erased, by the time of their forms."""
        return self._those("address <> ''", ())

    def of(self, tag: bytes) -> list[SignUp]:
        """Those of one reader, by the time of their forms."""
        return self._those("tag = ?", (tag,))

    def beginning(self, start: bytes) -> SignUp | None:
        """The one whose id begins so; None if there is none, or several."""
        found = self._those("tag IS NOT NULL AND substr(id, 1, ?) = ?", (len(start), start))
        return found[0] if len(found) == 1 else None

    def erase(self, until: Mapping[bytes, datetime]) -> int:
        """Erase what readers signed up with; inside the caller's transaction. Ids and times stay.

        Args:
            until: the readers by tag; with each, until when.

        Returns:
            How many are erased.
        """
        return sum(
            self._database.execute(
                "UPDATE sign_up SET tag = NULL, address = '', name = '', topics = '[]',"
                " consent = '{}' WHERE tag = ? AND form_at <= ?",
                each,
            ).rowcount
            for each in until.items()
        )

    def strip(self, until: Mapping[bytes, datetime]) -> int:
        """As :meth:`erase`, but the proof of the consent stays, under the keyed hash."""
        return sum(
            self._database.execute(
                "UPDATE sign_up SET address = '', name = '', topics = '[]'"
                " WHERE tag = ? AND form_at <= ? AND address <> ''",
                each,
            ).rowcount
            for each in until.items()
        )

    def proofs(self, tag: bytes) -> list[dict[str, Any]]:
        """What proves a reader's consents, stripped or not, as for JSON."""
        return [
            {
                "address": address,
                "name": name,
                "language": language,
                "topics": json.loads(topics),
                "form_sent": moment_at(form_at).isoformat(),
                "confirmed": moment_at(at).isoformat(),
                "words": words or "",
                **json.loads(consent),
            }
            for address, name, language, topics, form_at, at, consent, words in (
                self._database.rows(
                    "SELECT address, name, s.language, topics, form_at, s.at, consent, words"
                    " FROM sign_up AS s LEFT JOIN wording AS w"
                    " ON w.digest = json_extract(consent, '$.wording') WHERE tag = ?"
                    " ORDER BY form_at",
                    (tag,),
                )
            )
        ]

    def note_wordings(self, words: Mapping[str, tuple[str, str]], *, now: datetime) -> None:
        """Keep the words that readers tick today, by their digest: language and words.

        Inside the caller's transaction. Those that are known stay as they are.
        """
        for digest, (language, said) in words.items():
            self._database.execute(
                "INSERT INTO wording SELECT ?1, ?2,"
                " (SELECT COUNT(*) + 1 FROM wording WHERE language = ?2), ?3, ?4"
                " WHERE NOT EXISTS (SELECT 1 FROM wording WHERE digest = ?1)",
                (digest, language, said, now.timestamp()),
            )

    def wording(self, digest: str) -> Wording | None:
        """The words of a digest; None if they were never noted here."""
        rows = self._database.rows(
            "SELECT language, version, words FROM wording WHERE digest = ?", (digest,)
        )
        return Wording(*rows[0]) if rows else None

    def note_asked(self, tag: bytes, *, now: datetime) -> None:
        """Note that a reader is asked whether they are back; in the caller's transaction."""
        self._database.execute("INSERT INTO return_question VALUES (?, ?)", (tag, now.timestamp()))

    def asked_since(self, since: datetime) -> frozenset[bytes]:
        """The tags of all who were asked so since a time."""
        sql = "SELECT tag FROM return_question WHERE at > ?"
        return frozenset(tag for (tag,) in self._database.rows(sql, (since.timestamp(),)))

    def questions(self, tag: bytes) -> list[datetime]:
        """When a reader was asked so, the first time first."""
        sql = "SELECT at FROM return_question WHERE tag = ? ORDER BY at"
        return [moment_at(at) for (at,) in self._database.rows(sql, (tag,))]

    def asked_until(self, moment: datetime) -> dict[bytes, datetime]:
        """Who was asked so by then, by tag, with the latest such time."""
        sql = "SELECT tag, MAX(at) FROM return_question WHERE at <= ? GROUP BY tag"
        return {tag: moment_at(at) for tag, at in self._database.rows(sql, (moment,))}

    def latest_forms(self) -> dict[bytes, datetime]:
        """When each reader sent the latest of their forms that are not erased, by tag."""
        sql = "SELECT tag, MAX(form_at) FROM sign_up WHERE address <> '' GROUP BY tag"
        return {tag: moment_at(at) for tag, at in self._database.rows(sql)}

    def _those(self, which: str, parameters: tuple[object, ...]) -> list[SignUp]:
        sql = f"SELECT {_COLUMNS} FROM sign_up WHERE {which} ORDER BY form_at, id"
        found = []
        for id_, address, name, language, topics, consent, form_at, at in self._database.rows(
            sql, parameters
        ):
            try:
                parsed = Address.parse(address)
            except AddressError:
                continue  # another version was less strict
            found.append(
                SignUp(
                    id_,
                    parsed,
                    name,
                    language,
                    tuple(json.loads(topics)),
                    json.loads(consent),
                    moment_at(form_at),
                    moment_at(at),
                )
            )
        return found
