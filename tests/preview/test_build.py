"""What the preview is built from: the project as a send would read it."""

from pathlib import Path

from newsletter.preview.build import Sources, build_preview
from newsletter.testing import FrozenClock

from tests.ledger.conftest import NOW
from tests.support.project import SHORT_ISSUE, Project


def test_readers_whose_language_has_no_edition_see_the_one_that_they_would_get(
    tmp_path: Path,
) -> None:
    """The settings' language, where the issue has it, and not the one it was written in."""
    folder = Project(tmp_path / "project")
    folder.issue(SHORT_ISSUE.replace("language: en", "language: fr"), "2017-05")
    english = SHORT_ISSUE
    for word in ("One story", "A short issue", "Dear", "The only story", "It is short"):
        english = english.replace(word, f"{word}, in English")
    folder.issue(english, "2017-05.en")
    (folder.folder / "subscribers.csv").write_text(
        "email,name,language\ngreta@readers.example,Greta,de\nrenee@readers.example,Renée,fr\n"
    )
    sources = Sources(folder.folder, folder.folder / "issues" / "2017-05.yaml")
    preview = build_preview(sources, clock=FrozenClock(NOW))
    shown = {reader.recipient.name: preview.mail(reader.id).language for reader in preview.readers}
    assert {"Greta": "en", "Renée": "fr", "": "en"} == shown
