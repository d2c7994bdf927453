"""From a project's files to what the preview shows. Reads the project, writes nothing.

The editions are those that would be sent: the same loader, the same pipeline,
the same composer. Only the key that signs unsubscribe links is another one, so
that no link in the preview can unsubscribe anybody.
"""

from __future__ import annotations

import email
import email.policy
import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from newsletter.audience.model import Roster
from newsletter.checks.finding import Finding
from newsletter.clock import Clock
from newsletter.config import FILE_NAME
from newsletter.errors import ConfigError, InputError, RosterError
from newsletter.issues.languages import issue_files
from newsletter.issues.loader import FILES_FOLDER, IMAGES_FOLDER
from newsletter.material import PreparedPicture
from newsletter.message.compose import Composer, Uncomposable
from newsletter.message.keys import KeyRing
from newsletter.preview.readers import SampleReader, sample_readers
from newsletter.project import Project
from newsletter.project.compile import CompiledIssue, compile_issue
from newsletter.project.compose import unsigned_composer
from newsletter.render.slots import bind
from newsletter.theme_files import theme_folders

FileState = tuple[str, int, int]
"""A file's name, its time of change in nanoseconds and its size in bytes."""

_KEYS = KeyRing(pepper=bytes(32), secrets={1: bytes(32)})
"""Known to everybody, so no endpoint accepts what it signs."""


@dataclass(frozen=True, slots=True)
class Sources:
    """The files of a preview: the project's folder, and the issue in its first language."""

    folder: Path
    issue: Path

    @property
    def settings(self) -> Path:
        """newsletter.toml."""
        return self.folder / FILE_NAME

    @property
    def images(self) -> Path:
        """The folder of the issue's pictures."""
        return self.issue.parent / IMAGES_FOLDER

    @property
    def documents(self) -> Path:
        """The folder of the documents that the issue offers."""
        return self.issue.parent / FILES_FOLDER

    def issues(self) -> tuple[Path, ...]:
        """The issue, then its translations: ``2017-03.yaml``, ``2017-03.fr.yaml``."""
        return issue_files(self.issue)


@dataclass(frozen=True, slots=True)
class PreviewMail:
    """The mail to one reader, taken apart for the page."""

    reader: SampleReader
    sender: str
    subject: str
    preheader: str
    html: str
    text: str
    headers: tuple[tuple[str, str], ...]

    @property
    def language(self) -> str:
        """Language of the edition."""
        return self.reader.recipient.language


@dataclass(frozen=True)
class Preview:
    """An issue in all its languages, checked, and the readers to show it to."""

    compiled: CompiledIssue
    findings: Mapping[str, tuple[Finding, ...]]
    readers: tuple[SampleReader, ...]
    notice: str
    clock: Clock

    @property
    def pictures(self) -> Mapping[str, PreparedPicture]:
        """The pictures of all languages, by their names."""
        languages = self.compiled.languages.values()
        return {picture.name: picture for one in languages for picture in one.given.material.shown}

    @cached_property
    def _composers(self) -> Mapping[str, Composer]:
        return {
            language: unsigned_composer(
                edition, self.compiled.settings, keys=_KEYS, campaign="preview"
            )
            for language, edition in self.compiled.editions.items()
        }

    def mail(self, reader_id: str) -> PreviewMail:
        """The mail to a reader; to the first one where there is no such reader.

        Raises:
            InputError: no mail can be made for them.
        """
        chosen = (reader for reader in self.readers if reader.id == reader_id)
        reader = next(chosen, self.readers[0])
        recipient = reader.recipient
        edition = self.compiled.editions[recipient.language]
        try:
            message = self._composers[recipient.language].compose(recipient, date=self.clock.now())
        except Uncomposable as error:
            raise InputError(f"No mail can be made for “{reader.label}”: {error}") from None
        content = message.as_content()
        slots = {slot.token: slot for slot in edition.slots}
        values = {**recipient.fields, "name": recipient.name, "email": str(recipient.address)}
        return PreviewMail(
            reader=reader,
            sender=content.from_name,
            subject=content.subject,
            preheader=bind(edition.preheader, slots, values),
            html=content.html,
            text=content.text,
            headers=tuple(_headers(message.as_bytes(), recipient.address.masked)),
        )


def _headers(message: bytes, masked: str) -> Iterator[tuple[str, str]]:
    """The headers as a mail program reads them, the reader's address masked."""
    parsed = email.message_from_bytes(message, policy=email.policy.default)
    for name, value in parsed.items():
        if name == "To":
            names = [address.display_name for address in parsed["To"].addresses]
            value = f"{', '.join(names)} <{masked}>".strip()  # noqa: PLW2901
        yield name, str(value)


def build_preview(sources: Sources, *, clock: Clock) -> Preview:
    """Load, compile and check the issue.

    A list that cannot be read is no reason to show nothing: the notice says so.

    Raises:
        NewsletterError: the settings, the issue or the theme cannot be used.
    """
    project = Project(sources.folder)
    compiled = compile_issue(project, sources.issue.stem)
    roster, notice = _roster(project)
    readers = sample_readers(
        roster,
        languages=compiled.languages,
        default=compiled.default_language,
        fields=project.settings.audience.fields,
    )
    return Preview(compiled, compiled.findings_by_language, readers, notice, clock)


def _roster(project: Project) -> tuple[Roster | None, str]:
    files = (*project.list_files, project.folder / FILE_NAME, project.ledger_file)
    state = tuple(map(_state, files))
    try:
        return _read_again(project.folder, state), ""
    except RosterError as error:
        return None, f"The list cannot be used. {error}"


@functools.lru_cache(maxsize=1)
def _read_again(folder: Path, state: tuple[FileState | None, ...]) -> Roster:
    """The list, read only when its file, settings or ledger changed: a long one takes seconds."""
    del state
    return Project(folder).roster()


def watched(sources: Sources) -> frozenset[FileState]:
    """The state of every file that the preview is made from.

    While the settings cannot be read, only they and the issue matter.
    """
    files = [sources.settings, *sources.issues()]
    files += [*sources.images.rglob("*"), *sources.documents.rglob("*")]
    try:
        settings = Project(sources.folder).settings
    except ConfigError:
        settings = None
    if settings is not None:
        for folder in theme_folders(sources.folder / settings.theme.folder):
            files += folder.rglob("*")
        files += [sources.folder / file for file in settings.audience.files]
    return frozenset(state for file in files if (state := _state(file)))


def _state(file: Path) -> FileState | None:
    try:
        stat = file.stat()
    except OSError:  # just deleted, or between an editor's two steps of saving
        return None
    return str(file), stat.st_mtime_ns, stat.st_size
