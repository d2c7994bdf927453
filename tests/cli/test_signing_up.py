"""Signing up as the program does it: form, mail, confirmation, sync, send; and coming back."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from email.message import EmailMessage

import pytest
import requests
from newsletter.message.keys import KeyRing
from newsletter.message.tokens import Purpose, Token, sign
from newsletter.project import Project as Opened
from newsletter.project.log_source import LOG_NAME
from newsletter.project.public import Served
from newsletter.web.bundle import Bundle

from tests.cli.support import mails, outbox, parsed, stopped, went_well
from tests.support.inside import HurriedClock
from tests.support.project import Project, smtp_delivery
from tests.support.public_side import LIST_ID, PublicSide, public_settings, public_side
from tests.support.smtp_server import SmtpServer
from tests.web.process import free_port, wait_for
from tests.web.served import Running, running

ANNA = "anna@readers.example"


@pytest.fixture
def relay() -> Iterator[SmtpServer]:
    with SmtpServer() as server:
        yield server


def recipients(project: Project) -> Counter[str]:
    """How often each got the issue of the test project."""
    found = (mail for mail in mails(project) if "One story" in str(mail["Subject"]))
    return Counter(mail["To"].addresses[0].addr_spec for mail in found)


def link_in(mail: EmailMessage) -> str:
    """The path of the link that asks to confirm."""
    part = mail.get_body(("plain",))
    assert part is not None
    (path,) = re.findall(r"^http\S+(/confirm/\S+)", part.get_content(), re.MULTILINE)
    return str(path)


@contextmanager
def serving(project: Project, clock: HurriedClock) -> Iterator[Running]:
    """What “newsletter serve” answers from in the project's folder, with a clock of the test's."""
    opened = Opened(project.folder)
    served = Served(Bundle.of(opened), project.folder / LOG_NAME, opened)
    with (
        served.confirmations() as confirmations,
        running(
            project.folder, known=served.bundle, clock=clock, confirmations=confirmations
        ) as server,
    ):
        yield server


def hidden(page: str) -> dict[str, str]:
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page))


def press(server: Running, clock: HurriedClock, path: str, **more: str) -> requests.Response:
    """Open a page and press its button three seconds later."""
    fields = hidden(server.get(path).text)
    clock.sleep(3)
    return server.post(path, {**fields, **more})


def new_mail(project: Project, before: int) -> EmailMessage:
    wait_for(lambda: len(outbox(project)) > before)
    return parsed(max(outbox(project), key=lambda path: path.stat().st_mtime_ns).read_bytes())


def test_the_whole_way_and_back(project: Project) -> None:
    clock = HurriedClock()
    project.settings(public_settings())
    went_well(project.run("send", "2017-04", "--yes"), "3 planned = 3 accepted")
    with serving(project, clock) as server:
        before = len(outbox(project))
        answer = press(server, clock, "/subscribe", address=ANNA, name="Anna", consent="yes")
        assert "Now look into your mailbox" in answer.text
        mail = new_mail(project, before)
        assert (ANNA, "confirm@defenders.example") == (
            mail["To"],
            mail["From"].addresses[0].addr_spec,
        )
        went_well(project.run("sync"), "Nothing new")
        assert "you have signed up" in press(server, clock, link_in(mail)).text
        went_well(project.run("sync"), "From the public log: 1 person signed up.")
        # The latest issue again reaches just them.
        said = project.run("send", "2017-04", "--yes")
        went_well(said, ", 3 rows, and 1 person who signed up", "1 planned = 1 accepted")
        assert 1 == recipients(project)[ANNA]
        assert {1} == set(recipients(project).values())
        said = project.run("subscribers", "show", ANNA)
        went_well(
            said,
            "I want to get Defenders' Newsletter by email.", "version 1, en", "subscribe",
            str(mail["Message-ID"]),
        )  # fmt: skip
        # Anna leaves, then signs up again, and comes back by a second confirmation alone.
        went_well(project.run("suppress", "add", ANNA, "--reason", "unsubscribed"))
        with public_side(project.folder) as side:
            side.sign_up(ANNA, form_at=time.time())
        before = len(outbox(project))
        said = project.run("sync")
        went_well(said, "1 person signed up", "asked by mail to confirm")
        question = new_mail(project, before)
        assert "again?" in str(question["Subject"])
        assert "not mailed" in project.run("subscribers", "show", ANNA).stdout
        assert "mail" not in project.run("sync").stdout  # once a week
        (asked,) = json.loads(project.run("subscribers", "access", ANNA, "--json").stdout)[
            "return_questions"
        ]
        assert abs(datetime.fromisoformat(asked).timestamp() - time.time()) < 600
        said_back = press(server, clock, link_in(question)).text
        assert "within the last 30 days, you get" in said_back
        went_well(project.run("sync"), "1 person came back")
        assert "not mailed" not in project.run("subscribers", "show", ANNA).stdout
        # And leaving again counts.
        went_well(project.run("suppress", "add", ANNA, "--reason", "unsubscribed"))
        with public_side(project.folder) as side:
            side.log.append(side.box(kind="return", token=link_in(question).split("/")[-1][:60]))
        project.run("sync", "--again")
        assert "not mailed" in project.run("subscribers", "show", ANNA).stdout


def test_the_list_may_be_missing_if_somebody_signed_up(project: Project) -> None:
    project.settings(public_settings())
    (project.folder / "subscribers.csv").unlink()
    stopped(project.run("send", "2017-04", "--yes"), 2)
    with public_side(project.folder) as side:
        side.sign_up(ANNA)
        side.sign_up("bob@readers.example", language="fr", name="Bob")
        said = project.run("send", "2017-04", "--yes")
        went_well(said, "2 people signed up", "2 planned = 2 accepted")
        # A list with nobody on it is no fault either.
        (project.folder / "subscribers.csv").write_text("email,name\n")
        went_well(project.run("subscribers", "check"), "2 people to mail")
    assert Counter([ANNA, "bob@readers.example"]) == recipients(project)


def test_the_readers_own_word_wins_and_nobody_gets_two(project: Project) -> None:
    project.settings(public_settings())
    with public_side(project.folder) as side:
        # In the list's row, spelled otherwise, told twice, and again with another name.
        for name in ("First", "Second"):
            side.sign_up("READER0@readers.example", name=name, form_at=time.time() - 60)
        box = side.box(kind="signup", box=_box_of(side))
        side.log.append(box)
        side.log.append(box)
        side.sign_up(ANNA)
        side.sign_up(ANNA, name="Anna")
        said = project.run("send", "2017-04", "--yes")
        went_well(said, "5 people signed up", "4 planned = 4 accepted")
    assert {f"reader{n}@readers.example" for n in range(3)} | {ANNA} == set(recipients(project))
    names = {mail["To"].addresses[0].display_name for mail in mails(project)}
    assert {"Second", "Reader 1", "Reader 2", "Anna"} == names


def _box_of(side: PublicSide) -> str:
    return base64.b64encode(side.form(ANNA, name="An")).decode()


def test_a_server_that_invents_sign_ups_brings_nobody_back(
    project: Project, relay: SmtpServer
) -> None:
    project.settings(smtp_delivery(relay.port) + public_settings())
    csv = "email,name,status\nreader0@readers.example,,active\nleft@readers.example,,unsubscribed\n"
    (project.folder / "subscribers.csv").write_text(csv)
    went_well(project.run("suppress", "add", ANNA, "--reason", "unsubscribed"))
    with public_side(project.folder) as side:
        for form_at in (0.0, time.time(), time.time() + 9e9, 1e300):
            for address in (ANNA, "left@readers.example"):
                side.sign_up(address, form_at=form_at)
        forged = sign(
            Token(Purpose.RETURN, side.tag(ANNA), bytes(8), 0xFFFFFFFF),
            keys=KeyRing(b"q" * 32, secrets={1: b"z" * 32}), list_id=LIST_ID,
        )  # fmt: skip
        side.add(kind="return", token=forged)
        side.come_back(ANNA, form_at=0)  # of a time before they left
        said = project.run("sync")
        went_well(said, "2 people had left and signed up again")
        asked = relay.copies()
        assert Counter([ANNA, "left@readers.example"]) == asked
        assert "asked by mail" not in project.run("sync", "--again").stdout
        went_well(project.run("send", "2017-04", "--yes"), "1 planned = 1 accepted")
        assert asked + Counter(["reader0@readers.example"]) == relay.copies()
        # A reader of the list's own leavers comes back by the mail that they got, and may leave.
        mail = next(m for m in relay.accepted if m.recipient == "left@readers.example")
        text = link_in(parsed(mail.content)).rpartition("/")[2].partition("?")[0]
        side.add(kind="return", token=text)
        went_well(project.run("send", "2017-04", "--yes"), "1 planned = 1 accepted")
        assert 2 == relay.copies()["left@readers.example"]
        side.leave("left@readers.example", at=time.time() + 1)
        side.add(kind="return", token=text)
        went_well(project.run("sync"))
        assert "not mailed" in project.run("subscribers", "show", "left@readers.example").stdout


def test_the_officer_hears_that_the_form_was_misused(project: Project) -> None:
    project.settings(public_settings())
    with public_side(project.folder) as side:
        side.add(kind="breaker", asked=150, confirmed=2)
        said = project.run("sync").stdout
        assert "The sign-up form closed itself for a time: 150 mails" in said
        assert "closed itself" not in project.run("sync").stdout


def test_what_makes_no_sense_is_kept_and_signs_nobody_up(project: Project) -> None:
    project.settings(public_settings())
    with public_side(project.folder) as side:
        nonsense: list[dict[str, object]] = [
            {"address": "anna at home"},
            {"address": "anna@readers.example\nBcc: x@evil.example"},
            {"address": ["anna@readers.example"]},
            {"name": 7},
            {"language": "en\n"},
            {"language": "../../etc"},
            {"topics": "eu"},
            {"topics": [{"eu": 1}]},
            {"topics": [f"t{n}" for n in range(25)]},
            {"wording": "x"},
            {"page": "<script>"},
            {"form_at": "soon"},
            {"kind": "leave"},
            {"v": 2},
        ]
        for each in nonsense:
            side.sign_up(**{"address": ANNA, **each})  # type: ignore[arg-type]
        for box in ("", "AAAA", "not base64!", 7, None):
            side.add(kind="signup", box=box)
        said = project.run("sync")
        went_well(said)
        assert f"{len(nonsense) + 5} entries cannot be read" in said.stdout
    assert "is not on the list" in project.run("subscribers", "show", ANNA).stdout


def test_a_name_from_the_form_is_one_line(project: Project) -> None:
    project.settings(public_settings())
    with public_side(project.folder) as side:
        side.sign_up(ANNA, name="Anna\r\nBcc: victim@evil.example\u202e")
        went_well(project.run("send", "2017-04", "--yes"), "4 planned = 4 accepted")
    assert not any(mail["Bcc"] for mail in mails(project))


def test_serve_says_whose_account_confirmations_leave_through(project: Project) -> None:
    smtp = '[smtp]\nhost = "localhost"\nport = 2525\nsecurity = "none"\n'
    own = 'confirm_from = "confirm@defenders.example"\n[public.relay]\nhost = "localhost"\n'
    relay = f'{own}port = 2525\nsecurity = "none"\n'
    project.settings(f'transport = "smtp"\n{smtp}' + public_settings(more=relay))
    port = free_port()
    command = project.command("serve", "--port", str(port))
    with subprocess.Popen(
        command, cwd=project.folder, env=project.environment(PYTHONUNBUFFERED="1"),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as server:  # fmt: skip
        assert server.stdout is not None
        said = ""
        while "Answering readers" not in said:
            line = server.stdout.readline()
            assert line, said
            said += line
        server.terminate()
    assert "the newsletter's own account" in " ".join(said.split())
    wrong = relay.replace("confirm@", "newsletter@")
    project.settings(f'transport = "smtp"\n{smtp}' + public_settings(more=wrong))
    stopped(project.run("sync"), 2, "must differ from [sender] address")


def test_the_bundle_carries_the_relay_and_not_its_password(project: Project) -> None:
    relay = (
        'topics = { eu = { en = "Europe" } }\nconfirm_from = "confirm@defenders.example"\n'
        '[public.relay]\nhost = "smtp.example.org"\nusername = "confirm"\n'
        'password = { env = "CONFIRM_PASSWORD" }\n'
    )
    project.settings(public_settings(more=relay))
    environment = project.environment(CONFIRM_PASSWORD="s3cret-word")
    went_well(project.run("keys", "public", "--out", "public", env=environment))
    text = (project.folder / "public" / "public.toml").read_text()
    assert "CONFIRM_PASSWORD" in text
    assert "s3cret-word" not in text
    bundle = Bundle.load(project.folder / "public")
    assert bundle.relay is not None
    assert ("smtp.example.org", "confirm@defenders.example", {"eu": {"en": "Europe"}}) == (
        bundle.relay.host, bundle.confirm_from, bundle.topics,
    )  # fmt: skip
    said = project.run("serve", "--port", "0", "--bundle", "public", env=project.environment())
    stopped(said, 2, "password of the relay smtp.example.org:587", "CONFIRM_PASSWORD")
