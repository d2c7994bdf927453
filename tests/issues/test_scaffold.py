import datetime as dt
import re
import subprocess
from pathlib import Path

import pytest
from newsletter.checks.check_input import CheckInput
from newsletter.checks.finding import Severity
from newsletter.checks.run import run_checks
from newsletter.config import load_settings
from newsletter.errors import InputError, IssueError
from newsletter.issues.loader import load_issue
from newsletter.issues.scaffold import (
    SKELETONS,
    init_project,
    new_issue,
    new_translation,
    scaffold_folder,
)
from newsletter.issues.schema import FIRST_LINE
from newsletter.material import Material
from newsletter.render.edition import CompileInput
from newsletter.render.pipeline import compile_edition

from tests.issues.originals import jpeg, photograph
from tests.issues.support import GOOD, write
from tests.support import march
from tests.support.tools import ROOT

DATE = dt.date(2017, 4, 28)
THEME = {
    "default/mail.mjml.j2": "<mjml>",
    "default/css/inline.css": "p {}",
    "default/words/en.toml": 'a = "b"',
}


class StillClock:
    def now(self) -> dt.datetime:
        return dt.datetime(2017, 4, 28, tzinfo=dt.UTC)

    def monotonic(self) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None:
        raise AssertionError("starting a project waits for nothing")


@pytest.fixture
def scaffold(tmp_path: Path) -> Path:
    folder = tmp_path / "scaffold"
    for name, content in THEME.items():
        file = folder / "templates" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    (folder / "templates" / ".DS_Store").write_text("x")
    (folder / "subscribers.example.csv").write_text("email,name\nanna@ngo.example,Anna\n")
    return folder


def test_a_new_issue_is_a_good_issue(tmp_path: Path) -> None:
    path = tmp_path / "issues" / "2017-04.yaml"

    new_issue(path, title="April 2017", date=DATE, language="en", web_url=None)

    issue = load_issue(path).issue
    assert (issue.id, issue.title, issue.date, issue.language) == (
        "2017-04",
        "April 2017",
        DATE,
        "en",
    )
    assert issue.web_url is None
    assert path.read_text(encoding="utf-8").splitlines()[0] == FIRST_LINE


@pytest.mark.parametrize("skeleton", SKELETONS)
def test_each_skeleton_is_a_whole_mail_with_a_note_of_what_to_replace(
    tmp_path: Path, skeleton: str
) -> None:
    path = tmp_path / "2017-04.yaml"
    new_issue(path, title="April", date=DATE, language="en", web_url=None, skeleton=skeleton)

    loaded = load_issue(path)
    given = CompileInput(loaded.issue, loaded.source, march.THEME, march.SETTINGS, Material())
    found = run_checks(CheckInput.of(given, compile_edition(given), None))
    assert {"placeholder-text", "preheader-length"} >= {
        each.id for each in found if each.severity is not Severity.NOTE
    }
    assert "Replace this" in path.read_text(encoding="utf-8")
    # What its notes offer can be used: each commented key, taken as it stands.
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "photo.jpg").write_bytes(jpeg(photograph(20, 20)))
    if skeleton in {"essay", "events"}:
        used = re.sub(r"(?m)^( +)# (.*)$", r"\1\2", path.read_text(encoding="utf-8"))
        assert used != path.read_text(encoding="utf-8")
        path.write_text(used, encoding="utf-8")
        load_issue(path)


def test_an_unknown_skeleton_is_told_with_those_that_there_are(tmp_path: Path) -> None:
    path = tmp_path / "2017-04.yaml"
    with pytest.raises(InputError) as caught:
        new_issue(path, title="April", date=DATE, language="en", web_url=None, skeleton="letter")
    assert "There is no skeleton “letter”." == caught.value.what
    assert "Choose one of: monthly, links, essay, events." == caught.value.next
    assert not path.exists()


def test_a_new_issue_takes_any_title_and_its_web_page(tmp_path: Path) -> None:
    path = tmp_path / "2017-04.no.yaml"
    title = 'No: "news" # {1} \\ $title «Å»'

    new_issue(path, title=title, date=DATE, language="no", web_url="https://news.example/4/")

    issue = load_issue(path).issue
    assert (issue.title, issue.language, issue.web_url) == (title, "no", "https://news.example/4/")


@pytest.mark.parametrize(
    ("name", "title", "language", "web_url", "what"),
    [
        ("April 2017.yaml", "April", "en", None, "is not a valid name for an issue"),
        ("2017-04.yaml", "Two\nlines", "en", None, "“title” must stand on one line"),
        ("2017-04.yaml", "A \ud800 half", "en", None, "control character"),
        ("2017-04.yaml", "April", "English", None, "“language” is no language code"),
        ("2017-04.fr.yaml", "Avril", "en", None, "its language is “en”"),
        ("2017-04.yaml", "April", "en", "news.example", "“web_url” is no full web address"),
    ],
)
def test_an_issue_that_could_not_be_loaded_is_not_written(
    tmp_path: Path, name: str, title: str, language: str, web_url: str | None, what: str
) -> None:
    path = tmp_path / name

    with pytest.raises(IssueError, match=what):
        new_issue(path, title=title, date=DATE, language=language, web_url=web_url)

    assert not path.exists()


def test_a_new_issue_never_replaces_one(tmp_path: Path) -> None:
    path = tmp_path / "2017-04.yaml"
    path.write_text("mine")

    with pytest.raises(InputError, match=r"2017-04\.yaml: exists already"):
        new_issue(path, title="April", date=DATE, language="en", web_url=None)

    assert path.read_text() == "mine"


def original(folder: Path, content: str | bytes = GOOD) -> Path:
    return write(folder, content, "2017-03.yaml")


def test_a_new_translation_is_the_originals_text_in_another_language(tmp_path: Path) -> None:
    english = original(tmp_path, GOOD.replace("stories:", "# The stories.\nstories:"))
    french = tmp_path / "2017-03.fr.yaml"

    assert english == new_translation(french)

    before, after = (load_issue(path).issue for path in (english, french))
    assert before.model_copy(update={"language": "fr"}) == after
    lines = french.read_text(encoding="utf-8").splitlines()
    assert FIRST_LINE == lines[0]
    assert {"language: fr", "# The stories."} <= set(lines)
    kept = set(english.read_text(encoding="utf-8").splitlines()) - {"language: en"}
    assert [] == sorted(kept - set(lines))


@pytest.mark.parametrize(
    "content",
    [
        GOOD.replace("language: en", 'language: "en"'),
        GOOD.replace("language: en", "language: >-\n  en"),
        GOOD.replace("title: March 2017", "title: |-\n  March 2017\n"),
        GOOD.replace("# yaml-language-server: $schema=issue.schema.json\n", ""),
        GOOD.replace("\n", "\r\n"),
        b"\xef\xbb\xbf" + GOOD.encode(),
    ],
    ids=["quoted", "folded", "literal", "no schema", "CRLF", "BOM"],
)
def test_a_translation_is_copied_however_the_original_is_written(
    tmp_path: Path, content: str | bytes
) -> None:
    original(tmp_path, content)
    path = tmp_path / "2017-03.pt-BR.yaml"

    new_translation(path, title='Março: "2017"')

    issue = load_issue(path).issue
    assert ("pt-BR", 'Março: "2017"') == (issue.language, issue.title)
    text = path.read_bytes().decode()
    assert text.startswith(FIRST_LINE)
    assert 1 == text.count("yaml-language-server")
    assert text.count("\n") == text.count("\r\n") or "\r" not in text


def test_a_translation_without_an_original_is_not_started(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no issue “2017-03” to translate") as caught:
        new_translation(tmp_path / "2017-03.fr.yaml")
    assert "“newsletter new 2017-03” starts it." == caught.value.next
    assert [] == list(tmp_path.iterdir())


def test_an_issue_is_not_translated_into_its_own_language(tmp_path: Path) -> None:
    original(tmp_path)
    with pytest.raises(InputError, match="in “en” already"):
        new_translation(tmp_path / "2017-03.en.yaml")


def test_a_new_translation_never_replaces_one(tmp_path: Path) -> None:
    original(tmp_path)
    path = write(tmp_path, "mine", "2017-03.fr.yaml")
    with pytest.raises(InputError, match=r"2017-03\.fr\.yaml: exists already"):
        new_translation(path)
    assert "mine" == path.read_text()


def test_a_broken_original_is_told_before_it_is_copied(tmp_path: Path) -> None:
    original(tmp_path, GOOD.replace("credit: The editors", "credit:"))
    path = tmp_path / "2017-03.fr.yaml"
    with pytest.raises(IssueError, match="The picture has no credit"):
        new_translation(path)
    assert not path.exists()


def test_a_title_that_cannot_be_one_is_told(tmp_path: Path) -> None:
    original(tmp_path)
    path = tmp_path / "2017-03.fr.yaml"
    with pytest.raises(IssueError, match="must stand on one line"):
        new_translation(path, title="Mars\n2017")
    assert not path.exists()


def test_a_new_project_is_ready_to_use(tmp_path: Path, scaffold: Path) -> None:
    folder = tmp_path / "project"

    written = init_project(folder, scaffold=scaffold, clock=StillClock())

    settings = load_settings(folder / "newsletter.toml")
    issue = load_issue(folder / "issues" / "2017-04.yaml").issue
    assert (settings.delivery.transport, issue.title) == ("mailbox", "April 2017")
    (example,) = settings.audience.files
    assert (folder / example).read_text() == "email,name\nanna@ngo.example,Anna\n"
    assert (folder / "subscribers.csv").read_text() == "email,name\n"
    assert {
        file.relative_to(folder / "templates").as_posix(): file.read_text()
        for file in (folder / "templates").rglob("*")
        if file.is_file()
    } == THEME
    assert sorted(written) == sorted(file for file in folder.rglob("*") if file.is_file())


def test_readers_ledger_and_key_of_a_new_project_stay_out_of_git(
    tmp_path: Path, scaffold: Path
) -> None:
    folder = tmp_path / "project"
    init_project(folder, scaffold=scaffold)
    secret = ["subscribers.csv", "newsletter.key", "newsletter.db", "newsletter.db-wal"]
    secret += ["newsletter.lock", "outbox/new/1"]
    subprocess.run(["git", "init", "-q", folder], check=True)

    ignored = subprocess.run(
        ["git", "check-ignore", *secret, "newsletter.toml", "subscribers.example.csv"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()

    assert ignored == secret


def test_a_project_is_not_started_over_another(tmp_path: Path, scaffold: Path) -> None:
    folder = tmp_path / "project"
    (folder / "templates" / "default").mkdir(parents=True)
    (folder / "newsletter.toml").write_text("mine")
    (folder / "templates" / "default" / "mail.mjml.j2").write_text("mine")

    with pytest.raises(InputError) as caught:
        init_project(folder, scaffold=scaffold)

    assert [str(problem.where) for problem in caught.value.problems] == [
        str(folder / "newsletter.toml"),
        str(folder / "templates" / "default" / "mail.mjml.j2"),
    ]
    assert sorted(file.name for file in folder.rglob("*")) == [
        "default",
        "mail.mjml.j2",
        "newsletter.toml",
        "templates",
    ]


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path, scaffold: Path) -> None:
    (tmp_path / "file").write_text("x")

    with pytest.raises(InputError, match="cannot be written: Not a directory"):
        init_project(tmp_path / "file" / "project", scaffold=scaffold)


def test_the_repository_is_where_a_checkout_starts_projects_from() -> None:
    assert scaffold_folder() == ROOT
