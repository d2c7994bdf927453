"""``newsletter archive build``: what it writes and leaves alone, and when it writes nothing."""

import datetime as dt
import os
import subprocess
from pathlib import Path

import pytest
from newsletter.archive.write import write_files
from newsletter.errors import InputError

from tests.archive.built import (
    DOCUMENT,
    HALF_WRITTEN,
    OLDER,
    URL,
    Archive,
    build,
    contents,
    example,
)
from tests.cli.support import files, prepared, stopped, went_well
from tests.support.project import Project, smtp_delivery
from tests.support.smtp_server import SmtpServer

BROKEN = OLDER.replace("    blurb: It is short.\n", "")


@pytest.fixture
def small(tmp_path: Path) -> Project:
    """A project whose only issue, 2017-04, is short."""
    return Project(tmp_path / "project")


def archived(project: Project) -> list[str]:
    return sorted(contents(project.folder / "archive"))


# What it says and writes


def test_it_tells_what_it_wrote_and_what_to_do_next(small: Project) -> None:
    done = build(small, "--no-pdf")
    went_well(
        done,
        "archive holds 1 issue and 1 page; files: 6 new.",
        "Next: copy the folder archive to https://news.defenders.example/",
    )
    kinds = sorted(Path(name).suffix for name in archived(small))
    assert [".atom", ".css", ".html", ".html", ".js", ".svg"] == kinds


def test_it_writes_where_it_is_told(small: Project, tmp_path: Path) -> None:
    elsewhere = tmp_path / "public" / "news"
    went_well(build(small, "--no-pdf", "--out", str(elsewhere)), f"copy the folder {elsewhere}")
    assert (elsewhere / "2017-04.en.html").is_file()
    assert not (small.folder / "archive").exists()


def test_the_same_input_gives_the_same_bytes_on_any_day(archive: Archive, tmp_path: Path) -> None:
    project = example(tmp_path / "project")
    went_well(build(project, "--no-pdf"))
    again = contents(project.folder / "archive")
    assert contents(archive.folder) == again
    today = dt.datetime.now(dt.UTC).date()
    texts = [content for name, content in again.items() if name.endswith((".html", ".atom"))]
    assert not [text for text in texts if today.isoformat().encode() in text]


def test_what_is_the_same_is_not_touched_so_that_copying_stays_quick(small: Project) -> None:
    went_well(build(small, "--no-pdf"))
    folder = small.folder / "archive"
    for name in archived(small):
        os.utime(folder / name, (1, 1))
    page = folder / "2017-04.en.html"
    page.write_text("somebody wrote into it")
    went_well(build(small, "--no-pdf"), "files: 1 changed and 5 unchanged.")
    assert "<article" in page.read_text(encoding="utf-8")
    changed = [name for name in archived(small) if (folder / name).stat().st_mtime != 1]
    assert ["2017-04.en.html"] == changed


def test_files_can_be_read_by_a_web_server(small: Project) -> None:
    went_well(build(small, "--no-pdf"))
    mask = os.umask(0)
    os.umask(mask)
    modes = {(small.folder / "archive" / name).stat().st_mode & 0o777 for name in archived(small)}
    assert {0o666 & ~mask} == modes


def test_nothing_is_ever_deleted_since_old_mails_load_from_it(small: Project) -> None:
    folder = small.folder / "archive"
    (folder / "images").mkdir(parents=True)
    (folder / "images" / "sent-long-ago-00000000.jpg").write_bytes(b"a picture")
    (folder / "2012-01.en.html").write_text("a page of an issue that is gone")
    before = contents(folder)
    went_well(build(small, "--no-pdf"))
    assert before == {name: contents(folder)[name] for name in before}


def test_documents_are_published_although_they_travel_with_the_mail(tmp_path: Path) -> None:
    project = example(tmp_path / "project", translated=False)
    settings = project.folder / "newsletter.toml"
    settings.write_text(
        settings.read_text() + '\n[mail]\npictures = "inline"\ndownloads = "attach"\n'
    )
    went_well(build(project, "--no-pdf"))
    names = archived(project)
    assert [DOCUMENT] == [Path(name).name for name in names if name.startswith("files/")]
    assert 7 == len([name for name in names if name.startswith("images/")])


# Which issues


def test_an_issue_that_was_not_sent_is_left_out_and_named_however_unfinished(
    archive: Archive,
) -> None:
    told = (
        "Left out, since it was not sent: 2999-01. To publish it: newsletter archive build 2999-01"
    )
    assert told in archive.said
    for name in archive.names(".html", ".atom"):
        assert "2999" not in archive.text(name), name


def test_what_was_sent_is_published_and_a_trial_is_no_send(small: Project) -> None:
    went_well(small.run("send", "2017-04", "--yes"))
    stopped(small.run("archive", "build"), 2, "none has been sent yet")
    small.issue(OLDER, "2015-06")
    with SmtpServer() as relay:
        small.settings(smtp_delivery(relay.port))
        went_well(small.run("send", "2015-06", "--yes"))
    went_well(
        small.run("archive", "build", "--no-pdf"),
        "1 issue and 1 page",
        "Left out, since it was not sent: 2017-04.",
    )
    assert (small.folder / "archive" / "2015-06.en.html").is_file()
    assert "2017-04" not in (small.folder / "archive" / "index.html").read_text("utf-8")


def test_what_was_published_once_stays_published(small: Project) -> None:
    went_well(build(small, "--no-pdf"), "1 issue and 1 page")
    small.issue(OLDER, "2015-06")
    went_well(
        small.run("archive", "build", "--no-pdf"),
        "1 issue and 1 page; files: 6 unchanged.",
        "Left out, since it was not sent: 2015-06.",
    )


@pytest.mark.parametrize("left", ["Lorem ipsum dolor.", "Dear {% name %},"])
def test_an_issue_with_placeholders_is_refused_although_it_is_named(
    small: Project, left: str
) -> None:
    small.issue(OLDER.replace("It is short.", f"'{left}'"), "2015-06")
    stopped(build(small), 2, "The issue is not finished", "issues/2015-06.yaml")
    assert not (small.folder / "archive").exists()


def test_an_issue_that_was_not_sent_is_published_once_somebody_names_it(small: Project) -> None:
    small.issue(OLDER.replace("2015-06-30", "2999-06-30"), "2999-06")
    done = build(small, "2999-06", "--no-pdf")
    went_well(done, "2 issues and 2 pages")
    assert "Left out" not in done.stdout
    assert {"2999-06.en.html", "2017-04.en.html"} <= set(archived(small))
    index = (small.folder / "archive" / "index.html").read_text(encoding="utf-8")
    assert index.index("2999-06.en.html") < index.index("2017-04.en.html")


def test_without_an_issue_that_was_sent_it_says_so(small: Project) -> None:
    small.issue(HALF_WRITTEN, "2017-04")
    stopped(
        build(small),
        2,
        "none has been sent yet",
        "To publish one before you send it: newsletter archive build 2017-04",
    )
    (small.folder / "issues" / "2017-04.yaml").unlink()
    stopped(build(small), 2, "There is no issue to publish.", "newsletter new ID")


# When it writes nothing


def test_an_issue_with_an_error_is_told_and_nothing_is_written(small: Project) -> None:
    small.issue(BROKEN, "2015-06")
    before = files(small)
    stopped(build(small), 2, "issues/2015-06.yaml", "blurb")
    assert before == files(small)
    assert not (small.folder / "archive").exists()


def test_a_mistake_in_the_theme_is_told_and_nothing_is_written(small: Project) -> None:
    went_well(build(small, "--no-pdf"))
    before = contents(small.folder / "archive")
    index = small.folder / "templates" / "default" / "web" / "index.html.j2"
    index.write_text(index.read_text(encoding="utf-8") + "{{ slot('name') }}", encoding="utf-8")
    page = index.with_name("page.html.j2")
    page.write_text(page.read_text(encoding="utf-8") + "<p>changed</p>", encoding="utf-8")
    stopped(build(small, "--no-pdf"), 2, "web/index.html.j2", "'slot' is undefined")
    assert before == contents(small.folder / "archive")


def test_an_issue_that_is_not_there_is_told(small: Project) -> None:
    stopped(build(small, "2018-01"), 2, "There is no issue “2018-01” here.", "2017-04")
    assert not (small.folder / "archive").exists()


def test_without_a_place_for_the_archive_it_tells_what_to_write(small: Project) -> None:
    settings = small.folder / "newsletter.toml"
    text = settings.read_text().replace(
        '[archive]\nurl = "https://news.defenders.example/"', '[mail]\npictures = "inline"'
    )
    settings.write_text(text)
    stopped(build(small), 2, "The archive has no address yet", '[archive] with url = "https://…/"')


@pytest.mark.parametrize("folder", [".", "..", "issues/.."])
def test_the_project_itself_with_its_list_and_key_is_never_published(
    small: Project, folder: str
) -> None:
    before = files(small)
    stopped(
        build(small, "--out", folder),
        2,
        "holds the project with its list and key",
        "such as archive",
    )
    assert before == files(small)


# Whole or not at all


def test_a_file_that_cannot_be_written_leaves_the_old_one_and_no_litter(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_bytes(b"old")
    (tmp_path / "page.html").mkdir()
    with pytest.raises(InputError) as caught:
        write_files(tmp_path, {"a.css": b"new", "page.html": b"new", "index.html": b"new"})
    assert "page.html" in str(caught.value.where)
    assert "no file is half-written" in caught.value.next
    assert {"a.css": b"new", "index.html": b"old"} == contents(tmp_path)


def test_a_full_disk_in_the_middle_of_a_file_leaves_the_old_one(
    small: Project, tmp_path: Path
) -> None:
    """The system lets no file grow beyond a limit, so the page stops half-way."""
    went_well(build(small, "--no-pdf"))
    folder = small.folder / "archive"
    before = contents(folder)
    small.issue(OLDER.replace("It is short.", "word " * 4000), "2017-04")
    ignored = "__import__('signal').signal(25, 1)"  # SIGXFSZ, SIG_IGN: an error is given instead
    limit = f"{ignored}; resource.setrlimit(resource.RLIMIT_FSIZE, (16_000, 16_000))"
    done = subprocess.run(
        prepared(limit, small.command("archive", "build", "--no-pdf")),
        cwd=small.folder,
        env=small.environment(PYTHONDONTWRITEBYTECODE="1"),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    stopped(done, 2, "The archive cannot be written: File too large", "2017-04.en.html")
    assert before == contents(folder)


def test_what_links_to_others_is_written_last(archive: Archive) -> None:
    """So whoever reads while it is written finds no link that leads nowhere."""
    moments = {name: (archive.folder / name).stat().st_mtime_ns for name in archive.names()}
    order = sorted(moments, key=lambda name: moments[name])
    kinds = [Path(name).suffix for name in order]
    assert kinds.index(".html") > max(i for i, kind in enumerate(kinds) if kind in {".jpg", ".css"})
    assert "index.html" == order[-1]


# Reminders


def test_the_plan_of_a_send_and_the_checks_remind_to_publish_first(tmp_path: Path) -> None:
    project = example(tmp_path / "project", translated=False)
    words = (
        f"from {URL}; publish first: newsletter archive build 2017-03",
        "pictures and the page in the browser",
    )
    went_well(project.run("send", "2017-03", "--dry-run"), *words)
    went_well(project.run("check", "2017-03"), *words)
    assert "documents and the page" in project.run("send", "2016-12", "--dry-run").stdout


def test_nothing_reminds_where_nothing_leads_to_the_archive(small: Project) -> None:
    settings = small.folder / "newsletter.toml"
    text = settings.read_text().replace(
        '[archive]\nurl = "https://news.defenders.example/"', '[mail]\npictures = "inline"'
    )
    settings.write_text(text)
    for command in (("send", "2017-04", "--dry-run"), ("check", "2017-04")):
        assert "On the web" not in small.run(*command).stdout
