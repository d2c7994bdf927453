"""The March 2017 issue as the program sends it, one letter in each of its four languages."""

from __future__ import annotations

import email
import email.policy
from pathlib import Path

from tests.support.march import LANGUAGES
from tests.support.project import newsletter_of_this_repository


def letters(folder: Path) -> dict[str, bytes]:
    """A letter for each language, from the outbox of a project made in ``folder``."""
    project = newsletter_of_this_repository(folder)
    done = project.run("send", "2017-03", "--yes")
    assert 0 == done.returncode, done.stdout + done.stderr
    found: dict[str, bytes] = {}
    for path in sorted((folder / "outbox" / "new").iterdir()):
        mail = path.read_bytes()
        language = email.message_from_bytes(mail, policy=email.policy.default)["Content-Language"]
        found.setdefault(str(language), mail)
    assert set(LANGUAGES) == found.keys()
    return {language: found[language] for language in LANGUAGES}
