"""What a public server knows, and what it must never know."""

import base64
import os
import re
from pathlib import Path

import pytest
from nacl.public import PrivateKey
from newsletter.errors import ConfigError, InputError, TemplateError
from newsletter.message.keys import KeyRing, derived
from newsletter.message.tokens import Purpose, Token, sign, verify
from newsletter.project import Project as Opened
from newsletter.project.public import write_bundle
from newsletter.theme_files import load_theme
from newsletter.web.bundle import Bundle, _toml

from tests.support.project import SETTINGS, Project

LIST = "news.defenders.test"
PUBLIC = '[public]\nurl = "https://news.defenders.example/"\n'


@pytest.fixture
def project(tmp_path: Path) -> Opened:
    made = Project(tmp_path / "project")
    (made.folder / "newsletter.toml").write_text(SETTINGS + PUBLIC)
    (made.folder / "archive").mkdir()
    (made.folder / "archive" / "index.html").write_text("<title>Past issues</title>")
    (made.folder / "archive" / "key.html").symlink_to(made.folder / "newsletter.key")
    (made.folder / "issues" / "2017-04.ar.yaml").write_text("")
    return Opened(made.folder)


def written(folder: Path) -> dict[str, bytes]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def old_keys(project: Opened) -> None:
    """A project of before there were secrets, since rotated and joined with another."""
    ring = KeyRing(b"p" * 32, {}, {1: b"1" * 32, 2: b"2" * 32}, (b"f" * 32,))
    ring.save(project.key_file)
    KeyRing.load_or_create(project.key_file)
    KeyRing.rotate(project.key_file)


def test_a_written_bundle_reads_back(project: Opened, tmp_path: Path) -> None:
    old_keys(project)
    write_bundle(project, tmp_path / "public")
    ours, theirs = Bundle.of(project), Bundle.load(tmp_path / "public")
    for name in set(Bundle.__dataclass_fields__) - {"theme", "archive"}:
        assert getattr(ours, name) == getattr(theirs, name), name
    assert ("en", "ar") == theirs.languages
    assert "https://news.defenders.example" == theirs.url
    assert 64 == len(theirs.bearer_hash)
    one, two = load_theme(ours.theme), load_theme(theirs.theme)
    assert (one.files, one.words, one.settings) == (two.files, two.words, two.settings)
    assert theirs.archive
    assert ["index.html"] == [path.name for path in theirs.archive.iterdir()]
    assert f"Bundle({LIST})" == repr(theirs)


def test_a_bundle_holds_nothing_that_names_opens_or_brings_back(
    project: Opened, tmp_path: Path
) -> None:
    old_keys(project)
    write_bundle(project, tmp_path / "public")
    ring = project.keys
    assert [1, 2] == sorted(ring.secrets)
    assert ring.bearer
    private = [ring.pepper, *ring.former, *ring.secrets.values(), ring.bearer, ring.seal_key]
    private += ring.box_keys(LIST).values()
    private += [derived(secret, LIST, "return") for secret in ring.secrets.values()]
    assert 10 == len(set(private))
    files = written(tmp_path / "public")
    for content in files.values():
        for secret in private:
            spellings = (
                secret,
                secret.hex().encode(),
                secret.hex().upper().encode(),
                base64.b64encode(secret)[:-2],
                base64.urlsafe_b64encode(secret)[:-2],
            )
            assert not any(each in content for each in spellings)
        assert b"@readers.example" not in content
    kinds = {Path(name).suffix for name in files}
    assert kinds <= {".toml", ".j2", ".css", ".html", ".svg", ".png"}
    assert {".toml", ".j2", ".css"} <= kinds


def test_only_its_owner_can_read_it(project: Opened, tmp_path: Path) -> None:
    folder = tmp_path / "public"
    folder.mkdir(mode=0o755)
    before = os.umask(0)
    try:
        write_bundle(project, folder)
    finally:
        os.umask(before)
    for path in (folder, *folder.rglob("*")):
        assert (0o700 if path.is_dir() else 0o600) == path.stat().st_mode & 0o777, path
    (folder / "public.toml").chmod(0o640)
    with pytest.raises(ConfigError, match=r"chmod 600 /.*public\.toml"):
        Bundle.load(folder)


def test_it_verifies_and_seals_for_the_officer(project: Opened, tmp_path: Path) -> None:
    write_bundle(project, tmp_path / "public")
    bundle = Bundle.load(tmp_path / "public")
    for purpose in (Purpose.HEADER, Purpose.PAGE, Purpose.PREFERENCES):
        token = Token(purpose, b"a" * 12, b"c" * 8, 5)
        assert token == verify(sign(token, keys=project.keys, list_id=LIST), bundle.verifier)
    back = Token(Purpose.RETURN, b"a" * 12, b"c" * 8, 5)
    assert verify(sign(back, keys=project.keys, list_id=LIST), bundle.verifier) is None
    opens = PrivateKey(project.keys.box_keys(LIST)[bundle.box_number])
    assert bytes(opens.public_key) == bundle.box
    assert (1, Purpose.CONFIRM) in bundle.verifier.keys


def test_a_new_bundle_replaces_the_one_before(project: Opened, tmp_path: Path) -> None:
    folder = tmp_path / "public"
    write_bundle(project, folder)
    first = Bundle.load(folder)
    KeyRing.rotate(project.key_file)
    (project.folder / "archive" / "index.html").unlink()
    again = Opened(project.folder)
    write_bundle(again, folder)
    second = Bundle.load(folder)
    assert (first.box_number, second.box_number) == (1, 2)
    assert first.bearer_hash == second.bearer_hash
    assert second.archive is None or not list(second.archive.iterdir())
    assert {"public.toml", "theme"} >= {p.name for p in folder.iterdir()} - {"archive"}


def test_a_folder_of_other_things_is_left_alone(project: Opened, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letter.txt").write_text("mine")
    for folder in (tmp_path / "other", project.folder, project.folder / "issues", tmp_path):
        with pytest.raises(InputError):
            write_bundle(project, folder)
    assert ["letter.txt"] == [path.name for path in (tmp_path / "other").iterdir()]
    assert not (project.folder / "public.toml").exists()


def test_an_archive_that_holds_the_project_is_refused(project: Opened, tmp_path: Path) -> None:
    text = SETTINGS.replace("[delivery]", 'folder = "."\n[delivery]')
    (project.folder / "newsletter.toml").write_text(text + PUBLIC)
    with pytest.raises(ConfigError, match="holds the project itself"):
        write_bundle(project, tmp_path / "public")
    assert not (tmp_path / "public").exists()


def test_a_theme_in_the_projects_own_folder_brings_nothing_else(
    project: Opened, tmp_path: Path
) -> None:
    for name in ("theme.toml", "mail.mjml.j2"):
        (project.folder / name).touch()
    (project.folder / "theme.toml").write_text('base = "templates/default"\n')
    (project.folder / "mail.mjml.j2").unlink()
    text = SETTINGS + PUBLIC + '[theme]\nfolder = "."\n'
    (project.folder / "newsletter.toml").write_text(text)
    write_bundle(project, tmp_path / "public")
    names = [Path(name).name for name in written(tmp_path / "public")]
    assert not {"newsletter.key", "newsletter.toml", "subscribers.csv"} & {*names}
    assert Bundle.load(tmp_path / "public").theme.is_dir()


def test_a_theme_that_fails_readers_of_one_language_is_refused_before_it_is_copied(
    project: Opened, tmp_path: Path
) -> None:
    """Else the server would answer them with an error when they want to leave."""
    words = Bundle.of(project).theme / "words" / "ar.toml"
    words.write_text(words.read_text().replace("\npage_undone ", "\npage_undone_before "))
    with pytest.raises(TemplateError, match="page_undone"):
        write_bundle(project, tmp_path / "public")
    assert not (tmp_path / "public").exists()


def test_without_a_public_server_there_is_no_bundle(tmp_path: Path) -> None:
    made = Opened(Project(tmp_path / "project").folder)
    with pytest.raises(ConfigError, match="no public server"):
        write_bundle(made, tmp_path / "public")
    assert "" == Bundle.of(made).bearer_hash == Bundle.of(made).url
    assert made.keys.bearer is None


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "",
        lambda text: text[: len(text) // 2],
        lambda text: text.replace("[", ""),
        lambda text: text.replace('theme = "theme', 'theme = "../theme'),
        lambda text: text.replace("header", "letters"),
        lambda text: text.replace('"key" = "', '"key" = "00'),
        lambda text: text + "\x00",
        lambda text: text.replace('"number" = 1', '"number" = inf'),
        lambda text: text.replace("topics = {", 'topics = {"news" = {}'),
        lambda text: text.replace("topics = {", 'topics = {"news" = "x"'),
        lambda text: f"unsubscribe_url = 3\n{text}",
        lambda text: re.sub("languages = .*", "languages = []", text),
    ],
)
def test_a_damaged_bundle_is_refused_and_not_shown(
    project: Opened, tmp_path: Path, change: object
) -> None:
    folder = tmp_path / "public"
    write_bundle(project, folder)
    file = folder / "public.toml"
    assert callable(change)
    file.write_text(change(file.read_text()))
    with pytest.raises(ConfigError, match="damaged") as refusal:
        Bundle.load(folder)
    assert refusal.value.__suppress_context__
    file.unlink()
    with pytest.raises(ConfigError, match="The bundle cannot be read"):
        Bundle.load(folder)


def test_what_is_no_whole_bundle_is_refused_with_what_to_do(
    project: Opened, tmp_path: Path
) -> None:
    folder = tmp_path / "public"
    write_bundle(project, folder)
    with pytest.raises(ConfigError, match="is a folder") as refusal:
        Bundle.load(folder / "public.toml")
    assert f"--bundle {folder}" in refusal.value.next
    (folder / "theme").rename(tmp_path / "aside")
    with pytest.raises(ConfigError, match="lacks its folder “theme”") as refusal:
        Bundle.load(folder)
    assert "newsletter keys public" in refusal.value.next


def test_any_text_is_written_as_toml() -> None:
    import tomllib

    text = 'a"b\\c\x7f\n\té\N{ARABIC LETTER ALEF}\U0001f600\x1f'
    assert {"x": {text: [text, 1, True]}} == tomllib.loads(
        f"x = {_toml({text: [text, 1, True], 'none': None})}"
    )


def test_the_command_writes_it_and_says_what_to_do(tmp_path: Path) -> None:
    made = Project(tmp_path / "project")
    (made.folder / "newsletter.toml").write_text(SETTINGS + PUBLIC)
    done = made.run("keys", "public")
    assert 0 == done.returncode, done.stderr
    assert "https://news.defenders.example" in done.stdout
    assert Bundle.load(made.folder / "public").list_id == LIST
    assert "keys public" in made.run("keys", "rotate").stdout
