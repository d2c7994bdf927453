"""Which mails of a bounce mailbox were read, so that none is read again."""

from __future__ import annotations

from newsletter.ledger.database import Database


class ReadMails:
    """The table of mails that were read: a digest names each, and nobody is in it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, id_: bytes, *, understood: bool) -> None:
        """Note that a mail was read; inside the transaction of what it led to.

        Args:
            id_: 16 bytes that name mailbox and mail.
            understood: whether what it told is applied.
        """
        self._database.execute(
            "INSERT OR REPLACE INTO read_mail VALUES (?, ?)", (id_, int(understood))
        )

    def understood(self, id_: bytes) -> bool | None:
        """Whether what a mail told is applied; None: it was not read yet."""
        rows = self._database.rows("SELECT understood FROM read_mail WHERE id = ?", (id_,))
        return bool(rows[0][0]) if rows else None
