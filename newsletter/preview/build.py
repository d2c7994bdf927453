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
from newsletter.audience.reader import read_roster
from newsletter.checks.check_input import CheckInput
from newsletter.checks.finding import Finding
from newsletter.checks.run import run_checks
from newsletter.clock import Clock
from newsletter.config import FILE_NAME, Settings, load_settings
from newsletter.errors import ConfigError, InputError, RosterError
from newsletter.issues.languages import issue_files, load_languages
from newsletter.issues.loader import FILES_FOLDER, IMAGES_FOLDER, LoadedIssue
from newsletter.issues.material import load_material
from newsletter.material import PreparedPicture
from newsletter.message.compose import Composer, Uncomposable
from newsletter.message.keys import KeyRing
from newsletter.preview.readers import Reader, sample_readers
from newsletter.render.edition import CompileInput, Edition
from newsletter.render.pipeline import compile_edition
from newsletter.render.slots import bind
from newsletter.theme import load_theme, theme_folders

FileState = tuple[str, int, int]
"""A file's name, its time of change in nanoseconds and its size in bytes."""

_KEYS = KeyRing(pepper=bytes(32), keys={1: bytes(32)})
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
class Letter:
    """The mail to one reader, taken apart for the page."""

    reader: Reader
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

    settings: Settings
    loaded: Mapping[str, LoadedIssue]
    editions: Mapping[str, Edition]
    pictures: Mapping[str, PreparedPicture]
    findings: Mapping[str, tuple[Finding, ...]]
    readers: tuple[Reader, ...]
    notice: str
    clock: Clock

    @cached_property
    def _composers(self) -> Mapping[str, Composer]:
        settings = self.settings
        return {
            language: Composer(
                edition,
                sender=settings.sender,
                list_identity=settings.list,
                archive_url=settings.archive_url,
                campaign_id="preview",
                keys=_KEYS,
            )
            for language, edition in self.editions.items()
        }

    def letter(self, reader_id: str) -> Letter:
        """The mail to a reader; to the first one where there is no such reader.

        Raises:
            InputError: no mail can be made for them.
        """
        chosen = (reader for reader in self.readers if reader.id == reader_id)
        reader = next(chosen, self.readers[0])
        recipient = reader.recipient
        edition = self.editions[recipient.language]
        try:
            message = self._composers[recipient.language].compose(recipient, date=self.clock.now())
        except Uncomposable as error:
            raise InputError(f"No mail can be made for “{reader.label}”: {error}") from None
        content = message.as_content()
        slots = {slot.token: slot for slot in edition.slots}
        values = {**recipient.fields, "name": recipient.name, "email": str(recipient.address)}
        return Letter(
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
    settings = load_settings(sources.settings)
    theme = load_theme(sources.folder / settings.theme.folder)
    loaded = load_languages(sources.issue, fields=settings.audience.fields)
    editions, findings = {}, {}
    pictures: dict[str, PreparedPicture] = {}
    for language, one in loaded.items():
        material = load_material(one, sources.issue.parent, shown=theme.shown)
        pictures |= {picture.name: picture for picture in material.shown}
        given = CompileInput(one.issue, one.source, theme, settings, material)
        editions[language] = compile_edition(given)
        findings[language] = run_checks(CheckInput.of(given, editions[language], one.original))
    roster, notice = _roster(sources.folder / settings.audience.file, settings)
    default = settings.language if settings.language in editions else next(iter(editions))
    readers = sample_readers(
        roster, languages=editions.keys(), default=default, fields=settings.audience.fields
    )
    return Preview(settings, loaded, editions, pictures, findings, readers, notice, clock)


def _roster(path: Path, settings: Settings) -> tuple[Roster | None, str]:
    try:
        return _read_again(path, _state(path), tuple(settings.audience.fields)), ""
    except RosterError as error:
        return None, f"The list cannot be used. {error}"


@functools.lru_cache(maxsize=1)
def _read_again(path: Path, state: FileState | None, fields: tuple[str, ...]) -> Roster:
    """The list, read only when its file changed: a long one takes seconds."""
    del state
    return read_roster(path, fields=fields)


def watched(sources: Sources) -> frozenset[FileState]:
    """The state of every file that the preview is made from.

    While the settings cannot be read, only they and the issue matter.
    """
    files = [sources.settings, *sources.issues()]
    files += [*sources.images.rglob("*"), *sources.documents.rglob("*")]
    try:
        settings = load_settings(sources.settings)
    except ConfigError:
        settings = None
    if settings is not None:
        for folder in theme_folders(sources.folder / settings.theme.folder):
            files += folder.rglob("*")
        files.append(sources.folder / settings.audience.file)
    return frozenset(state for file in files if (state := _state(file)))


def _state(file: Path) -> FileState | None:
    try:
        stat = file.stat()
    except OSError:  # just deleted, or between an editor's two steps of saving
        return None
    return str(file), stat.st_mtime_ns, stat.st_size
