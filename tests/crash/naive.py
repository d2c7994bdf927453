"""The control: a sender as most people write it. The harness must catch it.

A plain smtplib loop that keeps a checkpoint and goes on from there after a
crash. ``fetched`` moves the checkpoint when a batch is fetched, as listmonk
does, and so loses whoever of the batch was not mailed yet; ``sent`` moves it
after the batch, and so mails again whoever of it was.

``python -m tests.crash.naive LIST CHECKPOINT PORT fetched|sent``
"""

import csv
import os
import smtplib
import sys
from email.message import EmailMessage
from pathlib import Path

BATCH = 20


def main() -> None:
    subscribers, checkpoint, port, manner = sys.argv[1:]
    with Path(subscribers).open(encoding="utf-8") as file:
        addresses = [row["email"] for row in csv.DictReader(file)]
    done = int(Path(checkpoint).read_text()) if Path(checkpoint).exists() else 0
    with smtplib.SMTP("127.0.0.1", int(port)) as smtp:
        for start in range(done, len(addresses), BATCH):
            batch = addresses[start : start + BATCH]
            if manner == "fetched":
                _note(Path(checkpoint), start + len(batch))
            for address in batch:
                smtp.send_message(_letter(address))
            if manner == "sent":
                _note(Path(checkpoint), start + len(batch))


def _note(checkpoint: Path, done: int) -> None:
    """Write the checkpoint, whole and durable: its fault is its moment, not its writing."""
    fresh = checkpoint.with_suffix(".new")
    with fresh.open("w") as file:
        file.write(str(done))
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(checkpoint)


def _letter(address: str) -> EmailMessage:
    letter = EmailMessage()
    letter["From"] = "newsletter@defenders.example"
    letter["To"] = address
    letter["Subject"] = "One story in April"
    letter.set_content("The only story of the month.\n" * 20)
    return letter


if __name__ == "__main__":
    main()
