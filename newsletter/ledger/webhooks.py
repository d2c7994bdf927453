"""Webhooks of providers that wait: to be verified, for proof, or for the message they are about."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from newsletter.clock import moment_at
from newsletter.ledger.database import Database

MOST_WEBHOOKS = 20_000
MOST_BYTES = 500_000_000
"""Of all boxes that wait: whoever has the server could invent any number."""


@dataclass(frozen=True, slots=True)
class WaitingWebhook:
    """One webhook.

    Attributes:
        id: of the public log's entry, 16 bytes.
        at: when it arrived at the server.
        waits_for: the tags of the messages that it waits for.
        hints: what a webhook that nobody signed says: message tags, each with what happened.
            Without these and ``waits_for`` it was not read yet.
    """

    id: bytes
    at: datetime
    waits_for: tuple[str, ...]
    hints: tuple[tuple[str, str], ...]

    @property
    def is_read(self) -> bool:
        """Whether what it holds is understood, and applied as far as possible."""
        return bool(self.waits_for or self.hints)


class Webhooks:
    """The table of webhooks; each stays sealed. Written inside the caller's transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def keep(self, read: Iterable[tuple[bytes, datetime, bytes]]) -> frozenset[bytes]:
        """Keep those that were read from the public log: of each its id, its time and its box.

        Where room is short, those go that waited longest for their message or for proof.

        Returns:
            The ids of those for which there is no room.
        """
        new = list(read)
        # Once for all, since it looks at every row.
        number, size = self._kept()
        if (
            number + len(new) > MOST_WEBHOOKS
            or size + sum(len(box) for *_, box in new) > MOST_BYTES
        ):
            # What waits longest for a message that nobody knows, or for proof, will hardly get it.
            self._database.execute(
                "DELETE FROM webhook WHERE id IN"
                " (SELECT id FROM webhook WHERE waits != '' ORDER BY at LIMIT ?)",
                (len(new),),
            )
            number, size = self._kept()
        without_room = set()
        for id_, at, box in new:
            if number >= MOST_WEBHOOKS or size + len(box) > MOST_BYTES:
                without_room.add(id_)
                continue
            added = self._database.execute(
                "INSERT INTO webhook VALUES (?, ?, ?, '') ON CONFLICT DO NOTHING", (id_, at, box)
            ).rowcount
            number, size = number + added, size + added * len(box)
        return frozenset(without_room)

    def _kept(self) -> tuple[int, int]:
        """How many there are, and the bytes of their boxes."""
        (found,) = self._database.rows(
            "SELECT COUNT(*), COALESCE(SUM(LENGTH(box)), 0) FROM webhook", ()
        )
        number, size = found
        return number, size

    def all(self) -> list[WaitingWebhook]:
        """All that wait: first those that were not read yet, each in the order of arrival."""
        rows = self._database.rows("SELECT id, at, waits FROM webhook ORDER BY waits != '', at, id")
        return [_waiting(id_, moment_at(at), waits.split()) for id_, at, waits in rows]

    def box(self, id_: bytes) -> bytes:
        """What one is sealed in."""
        (box,) = self._database.rows("SELECT box FROM webhook WHERE id = ?", (id_,))[0]
        return bytes(box)

    def wait_for(self, id_: bytes, tags: Iterable[str]) -> None:
        """Note that one is applied as far as possible, and waits for messages by their tags."""
        self._database.execute(
            "UPDATE webhook SET waits = ? WHERE id = ?", (" ".join(sorted(tags)), id_)
        )

    def keep_hints(self, id_: bytes, hints: Iterable[tuple[str, str]]) -> None:
        """Note what one says that nobody signed, so that it need not be read again.

        Args:
            id_: of the webhook.
            hints: message tags, each with what happened, in a word.
        """
        self.wait_for(id_, map(":".join, hints))

    def done(self, id_: bytes) -> None:
        """Nothing more is expected of one: it is removed."""
        self._database.execute("DELETE FROM webhook WHERE id = ?", (id_,))

    def certificate(self, url: str) -> bytes | None:
        """The certificate that was once had from an address, PEM; None: never."""
        found = self._database.meta(f"certificate {url}")
        return None if found is None else found.encode()

    def note_certificate(self, url: str, pem: bytes) -> None:
        """Keep a certificate, so that what it signed can be verified without the network."""
        self._database.put_meta(f"certificate {url}", pem.decode("ascii"))

    def asked_until(self, provider: str) -> datetime | None:
        """Until when a provider's events were asked for; None: never."""
        found = self._database.meta(f"events of {provider}")
        return None if found is None else moment_at(float(found))

    def note_asked(self, provider: str, until: datetime) -> None:
        """Note until when a provider's events are applied; in the transaction that applies them."""
        self._database.put_meta(f"events of {provider}", repr(until.timestamp()))


def _waiting(id_: bytes, at: datetime, words: list[str]) -> WaitingWebhook:
    pairs = [word.partition(":") for word in words]
    return WaitingWebhook(
        id_,
        at,
        tuple(tag for tag, colon, _ in pairs if not colon),
        tuple((tag, kind) for tag, colon, kind in pairs if colon),
    )
