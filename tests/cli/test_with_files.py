"""Pictures and a document on the whole road: issue, send, the mail that lies in the outbox."""

import email
import email.policy
import re
from email.message import EmailMessage
from pathlib import Path

import pytest
from newsletter.issues.image_prepare import prepare

from tests.issues.documents import pdf
from tests.issues.originals import SECRET, full_jpeg, full_png, photograph, write
from tests.support.project import Project

ISSUE = """\
title: April 2017
date: 2017-04-28
language: en
subject: Two stories in April
preheader: Two pictures and a guide, on the whole road from end to end
stories:
  - id: first
    headline: The first story of the month
    blurb: It is short, and that is all it has to be for the purpose at hand.
    image:
      file: Büro 2017-03-02.jpg
      alt: An empty office
      credit: "Photo: Ana López"
    download:
      label: The guide for defenders (PDF)
      file: Guía.pdf
  - id: second
    headline: The second story of the month
    blurb: It is no longer than the first one, and says about as much.
    image:
      file: harbour.png
      alt: A harbour
      credit: Name withheld
"""
INSIDE = '\n[mail]\npictures = "inline"\ndownloads = "attach"\n'
GUIDE = pdf(b"/Title (Guide)")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project(tmp_path / "project")
    project.issue(ISSUE)
    issues = project.folder / "issues"
    write(issues, "images/Büro 2017-03-02.jpg", full_jpeg(photograph(2000, 1500)))
    write(issues, "images/harbour.png", full_png(photograph(1400, 900)))
    write(issues, "files/Guía.pdf", GUIDE)
    return project


def mails(project: Project) -> list[EmailMessage]:
    found = []
    for file in (project.folder / "outbox" / "new").iterdir():
        mail = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
        assert isinstance(mail, EmailMessage)
        found.append(mail)
    return found


def files_in(mail: EmailMessage) -> dict[str, bytes]:
    """The bytes of each file by its name, as the standard library reads them."""
    found = {}
    for part in mail.walk():
        if (name := part.get_filename()) is not None:
            content = part.get_payload(decode=True)
            assert isinstance(content, bytes)
            found[name] = content
    return found


def html_of(mail: EmailMessage) -> str:
    part = mail.get_body(("html",))
    assert isinstance(part, EmailMessage)
    return str(part.get_content())


def test_what_was_prepared_is_what_arrives_inside_the_mail(project: Project) -> None:
    project.settings(INSIDE)
    done = project.run("send", "2017-04", "--yes")
    assert 0 == done.returncode, done.stderr + done.stdout

    images = project.folder / "issues" / "images"
    office = prepare(images / "Büro 2017-03-02.jpg", shown=640, caption="Photo: Ana López")
    harbour = prepare(images / "harbour.png", shown=560, caption="Name withheld")
    assert re.fullmatch(r"[0-9a-f]{16}\.jpg", office.name)
    assert 3 == len(mails(project))
    for mail in mails(project):
        wanted = {each.name: each.content for each in (office, harbour)} | {"Guía.pdf": GUIDE}
        assert wanted == files_in(mail)
        ids = [str(part["Content-ID"]) for part in mail.walk() if part["Content-ID"]]
        shown = re.findall(r'src="cid:([^"]+)"', html_of(mail))
        assert sorted(ids) == sorted(f"<{each}>" for each in shown)
        assert 2 == len(set(shown)) == len(shown)
        assert "https://" not in "".join(re.findall(r'src="[^"]*"', html_of(mail)))
        assert SECRET not in b"".join(files_in(mail).values())
        assert b"L\xc3\xb3pez" in office.content


def test_hosted_pictures_and_linked_documents_leave_the_mail_light(project: Project) -> None:
    done = project.run("send", "2017-04", "--yes")
    assert 0 == done.returncode, done.stderr + done.stdout

    for mail in mails(project):
        assert {} == files_in(mail)
        pictures = re.findall(r'src="https://news.defenders.example/images/([^"]+)"', html_of(mail))
        assert all(re.fullmatch(r"[0-9a-f]{16}\.jpg", name) for name in pictures)
        assert 2 == len(set(pictures)) == len(pictures)
        assert re.search(
            r'href="https://news.defenders.example/files/[0-9a-f]{8}/Gu%C3%ADa.pdf"', html_of(mail)
        )


def test_check_tells_of_pictures_and_documents_with_their_lines(project: Project) -> None:
    project.settings(INSIDE)
    issues = project.folder / "issues"
    write(issues, "files/Guía.pdf", pdf(b"/Author (Bo Ek)", b"%" + b"x" * 800_000))
    write(issues, "images/harbour.png", full_jpeg(photograph(500, 300)))
    told = project.run("check", "2017-04").stdout

    for line, words in (
        (21, "is 500 pixels wide and shown at 560"),
        (23, "The credit is “Name withheld”, the file of the picture says “Ana López”"),
        (13, "the file of the picture also says “Front Line”"),
        (16, "“Guía.pdf” says that it was written by “Bo Ek”"),
        (16, "Each mail weighs about 1."),
    ):
        assert words in told
        assert f"2017-04.yaml:{line}" in told


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (full_jpeg(photograph(300, 200))[:2000], "“harbour.png” is damaged"),
        (b"%PDF-1.7", "“harbour.png” is a PDF, no PNG, JPEG or GIF."),
        (b"", "“harbour.png” is no PNG, JPEG or GIF."),
    ],
)
def test_a_picture_that_is_none_stops_everything_with_a_sentence(
    project: Project, content: bytes, words: str
) -> None:
    write(project.folder / "issues", "images/harbour.png", content)
    for command in (("check",), ("send", "--yes"), ("render", "--out", "build")):
        done = project.run(command[0], "2017-04", *command[1:])
        assert 2 == done.returncode
        assert words in done.stderr
        assert "2017-04.yaml:21:13, story “The second story of the month”" in done.stderr
    assert not (project.folder / "outbox").exists()
