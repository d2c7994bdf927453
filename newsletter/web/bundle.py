"""What a public server knows: keys that verify and seal, words and look, the archive.

It knows no reader, and nothing that opens what it sealed. In a folder, the
bundle is ``public.toml``, readable by its owner alone, with the folders
``theme`` and ``archive`` beside it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tomllib
import urllib.parse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from newsletter.config import FILE_NAME as SETTINGS_FILE
from newsletter.config import Organisation, Privacy, RelayAccess, Settings
from newsletter.errors import ConfigError, Where
from newsletter.message.keys import WEBHOOK_KEY_BYTES, KeyRing
from newsletter.message.tokens import PUBLIC, Purpose, Verifier
from newsletter.regular_file import read_regular
from newsletter.render.public_pages import PublicPages
from newsletter.system import shared, sync_file, sync_folder
from newsletter.theme import THEME_FILE
from newsletter.theme_files import load_theme, theme_folders

FILE_NAME = "public.toml"
_MOST_BYTES = 10_000_000
_TEMPLATES = frozenset({".j2", ".css"})
_HEAD = """\
# What the public server of your newsletter may know: "newsletter docs keys" says more.
# With it, somebody could take readers off the list. It names nobody and opens nothing.
"""


class PublicProject(Protocol):
    """What a bundle is made from: a newsletter project."""

    @property
    def folder(self) -> Path:
        """Where newsletter.toml is."""

    @property
    def settings(self) -> Settings:
        """newsletter.toml."""

    @property
    def keys(self) -> KeyRing:
        """The key file."""

    @property
    def languages(self) -> tuple[str, ...]:
        """Of the issues, the list's own first."""


@dataclass(frozen=True, slots=True, repr=False)
class Bundle:
    """All that a public server knows of the list. Its repr shows no key.

    Attributes:
        verifier: verifies tokens, but for those that bring back who had left.
        box: the X25519 public key to seal with, 32 bytes.
        box_number: the number of the secret that opens what it seals.
        list_id: the list.
        list_name: the newsletter's name.
        list_translations: the same in other languages.
        url: the server's own address; empty if none is set.
        unsubscribe_url: where links of earlier mail lead, with ``{token}``; None if nowhere.
        languages: of the pages, the list's own first.
        organisation: who sends, for the pages.
        bearer_hash: SHA-256 in hexadecimal of what ``newsletter sync`` shows; empty: the
            log is shown to nobody.
        theme: the theme's folder.
        archive: the folder of past issues; None if there is none.
        archive_path: where its pages are, below ``url``.
        noindex: whether search engines are asked to leave the archive out.
        topics: what readers can choose among: names by language, by id.
        privacy: what the privacy notice says.
        confirm_from: the address of mails that ask to confirm.
        relay: what those leave through, with where its password comes from; None: nobody
            can sign up.
        shares_account: whether that is the account that the newsletter itself leaves through.
        webhooks: the providers whose webhooks are taken.
        webhook_key: stands in their address, 16 bytes; None: there is none, so none are taken.
    """

    verifier: Verifier
    box: bytes
    box_number: int
    list_id: str
    list_name: str
    url: str
    unsubscribe_url: str | None
    languages: tuple[str, ...]
    organisation: Organisation
    bearer_hash: str
    theme: Path
    archive: Path | None
    archive_path: str = "/"
    noindex: bool = False
    topics: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    privacy: Privacy = field(default_factory=Privacy)
    confirm_from: str = ""
    relay: RelayAccess | None = None
    shares_account: bool = False
    webhooks: tuple[str, ...] = ()
    webhook_key: bytes | None = None
    list_translations: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, project: PublicProject) -> Bundle:
        """What ``newsletter serve`` knows in the project's own folder.

        Raises:
            ConfigError: a setting, or the key file, cannot be used.
        """
        settings, keys = project.settings, project.keys
        list_id = settings.list.id
        number, box = keys.box_public(list_id)
        archive = project.folder / settings.archive.folder if settings.archive else None
        if archive is not None and project.folder.resolve().is_relative_to(archive.resolve()):
            raise ConfigError(
                "The archive's folder holds the project itself, with the list and the key.",
                where=Where(project.folder / SETTINGS_FILE, item="[archive] folder"),
                next="Name a folder of its own, such as archive.",
            )
        return cls(
            verifier=Verifier.of(keys, list_id, PUBLIC),
            box=box,
            box_number=number,
            list_id=list_id,
            list_name=settings.list.name,
            url=settings.public.url if settings.public else "",
            unsubscribe_url=settings.list.unsubscribe_url,
            languages=project.languages,
            organisation=settings.organisation,
            bearer_hash=hashlib.sha256(keys.bearer).hexdigest() if keys.bearer else "",
            theme=project.folder / settings.theme.folder,
            archive=archive if archive is not None and archive.is_dir() else None,
            archive_path=_archive_path(settings),
            noindex=bool(settings.archive and settings.archive.noindex),
            topics=settings.public.topics if settings.public else {},
            privacy=settings.privacy,
            confirm_from=settings.confirm_from,
            relay=settings.public.relay if settings.public else None,
            shares_account=_shares_account(settings),
            webhooks=settings.webhooks.providers,
            webhook_key=keys.webhook_key(list_id),
            list_translations={
                tag: words.name for tag, words in settings.list.translations.items()
            },
        )

    @classmethod
    def load(cls, folder: Path) -> Bundle:
        """Read a bundle that :meth:`write` wrote.

        Raises:
            ConfigError: there is none, others can read it, or it is damaged.
        """
        path = folder / FILE_NAME
        again = "Make it with “newsletter keys public” where the list is, and copy it again."
        if folder.is_file():
            raise ConfigError(
                "The bundle is a folder, and this is a file.",
                where=Where(folder),
                next=f"Name its folder: --bundle {folder.parent}",
            )
        try:
            lax = shared(path.stat().st_mode)
            content = read_regular(path, max_bytes=_MOST_BYTES)
        except OSError as error:
            raise ConfigError(
                f"The bundle cannot be read: {error.strerror}.",
                where=Where(path),
                next=again,
            ) from None
        if lax:
            raise ConfigError(
                "The bundle can be read by other users of this machine.",
                where=Where(path),
                next=f"Run: chmod 600 {path}",
            )
        try:
            bundle = _parse(content, folder)
        except (ValueError, OverflowError, LookupError, TypeError, AttributeError, RecursionError):
            # The cause is left out: it could quote a key.
            raise ConfigError("The bundle is damaged.", where=Where(path), next=again) from None
        if not bundle.theme.is_dir():
            raise ConfigError(
                "The bundle lacks its folder “theme”.", where=Where(bundle.theme), next=again
            )
        return bundle

    def webhook_urls(self) -> dict[str, str]:
        """The address to give to each provider, for its webhooks."""
        key = self.webhook_key.hex() if self.webhook_key else ""
        return {name: f"{self.url}/hooks/{name}/{key}" for name in self.webhooks if key}

    @property
    def path(self) -> str:
        """The path of the server's own address, which a proxy may leave on; empty: its root."""
        return urllib.parse.urlsplit(self.url).path.rstrip("/")

    def pages(self) -> PublicPages:
        """The pages in the theme's look and words; whoever serves them checks them first.

        Raises:
            TemplateError: the theme cannot be read.
        """
        return PublicPages(
            load_theme(self.theme),
            list_name=self.list_name,
            organisation=self.organisation,
            languages=self.languages,
            topics=self.topics,
            privacy=self.privacy,
            list_translations=self.list_translations,
        )

    def write(self, folder: Path) -> None:
        """Write it to a folder, for the server; ``public.toml`` last, whole or not at all.

        Raises:
            OSError: it cannot be written.
        """
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        themes, logo = theme_folders(self.theme), load_theme(self.theme).settings.logo
        above = Path(os.path.commonpath([each.resolve().parent for each in themes]))
        _replace(
            folder / "theme",
            {
                each.resolve().relative_to(above) / name: each / name
                for each in themes
                for name in _theme_names(each, str(logo.file) if logo else None)
            },
        )
        archive = self.archive
        names = _regular(archive) if archive is not None else ()
        _replace(folder / "archive", {n: archive / n for n in names} if archive else {})
        data = self._data(self.theme.resolve().relative_to(above))
        _write_private(folder / FILE_NAME, f"{_HEAD}{_toml_lines(data)}".encode())
        sync_folder(folder)

    def _data(self, theme: Path) -> dict[str, Any]:
        verify: dict[str, dict[str, str]] = {purpose.name.lower(): {} for purpose in PUBLIC}
        for (number, purpose), key in self.verifier.keys.items():
            verify[purpose.name.lower()][str(number)] = key.hex()
        return {
            "list_id": self.list_id,
            "list_name": self.list_name,
            "list_translations": self.list_translations,
            "url": self.url,
            "unsubscribe_url": self.unsubscribe_url,
            "languages": list(self.languages),
            "archive_path": self.archive_path,
            "noindex": self.noindex,
            "topics": self.topics,
            "privacy": self.privacy.model_dump(mode="json"),
            "theme": f"theme/{theme.as_posix()}",
            "bearer_hash": self.bearer_hash,
            "box": {"number": self.box_number, "key": self.box.hex()},
            "verify": verify,
            "verify_old": {str(number): key.hex() for number, key in self.verifier.old.items()},
            "organisation": self.organisation.model_dump(mode="json"),
            "confirm_from": self.confirm_from,
            "relay": self.relay.model_dump(mode="json") if self.relay else None,
            "shares_account": self.shares_account,
            "webhooks": list(self.webhooks),
            "webhook_key": self.webhook_key.hex() if self.webhook_key else None,
        }

    def __repr__(self) -> str:
        return f"Bundle({self.list_id})"


def _parse(content: bytes, folder: Path) -> Bundle:
    data: dict[str, Any] = tomllib.loads(content.decode())
    list_id = str(data["list_id"])
    theme = Path(data["theme"])
    if theme.is_absolute() or ".." in theme.parts:
        raise ValueError
    verify = {
        (int(number), Purpose[name.upper()]): _key(text)
        for name, keys in data["verify"].items()
        for number, text in keys.items()
    }
    archive = folder / "archive"
    topics, unsubscribe_url = data.get("topics", {}), data.get("unsubscribe_url")
    named = all(names and all(map(_is_text, names.values())) for names in topics.values())
    if not (data["languages"] and named and (unsubscribe_url is None or _is_text(unsubscribe_url))):
        raise ValueError
    return Bundle(
        verifier=Verifier(
            list_id, verify, {int(n): _key(t) for n, t in data["verify_old"].items()}
        ),
        box=_key(data["box"]["key"]),
        box_number=int(data["box"]["number"]),
        list_id=list_id,
        list_name=str(data["list_name"]),
        url=str(data["url"]),
        unsubscribe_url=unsubscribe_url,
        languages=tuple(map(str, data["languages"])),
        organisation=Organisation.model_validate(data["organisation"]),
        bearer_hash=str(data["bearer_hash"]),
        theme=folder / theme,
        archive=archive if archive.is_dir() else None,
        archive_path=str(data["archive_path"]),
        noindex=bool(data.get("noindex")),
        topics=topics,
        privacy=Privacy.model_validate(data.get("privacy", {})),
        confirm_from=str(data.get("confirm_from", "")),
        relay=RelayAccess.model_validate(data["relay"]) if "relay" in data else None,
        shares_account=bool(data.get("shares_account")),
        webhooks=tuple(map(str, data.get("webhooks", ()))),
        webhook_key=_webhook_key(data.get("webhook_key")),
        list_translations={
            str(tag): str(name) for tag, name in data.get("list_translations", {}).items()
        },
    )


def _archive_path(settings: Settings) -> str:
    """Where the archive is below the public address; at its top if it is elsewhere."""
    if settings.archive is None or settings.public is None:
        return "/"
    url, base = settings.archive.url, f"{settings.public.url}/"
    return f"/{url.removeprefix(base)}" if url.startswith(base) else "/"


def _shares_account(settings: Settings) -> bool:
    relay = settings.public.relay if settings.public else None
    smtp = settings.smtp
    return bool(relay and smtp and any(map(relay.is_account_of, smtp.relays)))


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _key(text: str) -> bytes:
    key = bytes.fromhex(text)
    if len(key) != 32:
        raise ValueError
    return key


def _webhook_key(text: str | None) -> bytes | None:
    key = None if text is None else bytes.fromhex(text)
    if key is not None and len(key) != WEBHOOK_KEY_BYTES:
        raise ValueError
    return key


def _theme_names(folder: Path, logo: str | None) -> Iterator[Path]:
    """What of a theme's folder is the theme: it may be a folder of other things, too."""
    for name in _regular(folder):
        words = name.parts[0] == "words" and name.suffix == ".toml"
        if name.suffix in _TEMPLATES or words or name.as_posix() in {THEME_FILE, logo}:
            yield name


def _regular(folder: Path) -> Iterator[Path]:
    """The files of a folder, neither hidden nor linked from elsewhere."""
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        for name in sorted(names):
            path = Path(parent, name)
            if not name.startswith(".") and path.is_file() and not path.is_symlink():
                yield path.relative_to(folder)


def _replace(folder: Path, files: Mapping[Path, Path]) -> None:
    """Put copies of ``files`` into ``folder``, and nothing else, for its owner alone."""
    draft, old = (folder.with_name(f".{folder.name}.{kind}") for kind in ("new", "old"))
    for each in (draft, old):
        shutil.rmtree(each, ignore_errors=True)
    for name, source in files.items():
        target = draft / name
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write_private(target, source.read_bytes(), durable=False)
    if folder.exists():
        folder.rename(old)
    if draft.exists():
        for parent, _, _ in os.walk(draft):
            Path(parent).chmod(0o700)
        draft.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _write_private(path: Path, content: bytes, *, durable: bool = True) -> None:
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        if durable:
            file.flush()
            sync_file(file.fileno())
    draft.replace(path)


def _toml_lines(data: Mapping[str, Any]) -> str:
    return "".join(f"{key} = {_toml(value)}\n" for key, value in data.items() if value is not None)


def _toml(value: object) -> str:
    """A value in TOML 1.0; tables stand inline, and None in them is left out."""
    match value:
        case Mapping():
            pairs = (f"{_toml(k)} = {_toml(v)}" for k, v in value.items() if v is not None)
            return f"{{{', '.join(pairs)}}}"
        case list():
            return f"[{', '.join(map(_toml, value))}]"
        case str():
            # JSON's escapes are TOML's, but for DEL, which JSON leaves bare.
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return str(value).lower()
