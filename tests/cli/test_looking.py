"""Looking before sending: check, render, preview and proofs."""

import json
import re
import signal
import subprocess
import urllib.request

from tests.cli.support import (
    ended,
    files,
    mails,
    parsed,
    part,
    running_program,
    stopped,
    went_well,
)
from tests.support.project import SETTINGS, SHORT_ISSUE, Project, smtp_delivery
from tests.support.smtp_server import SmtpServer

WITH_FIELD = SHORT_ISSUE.replace("friend }},", "friend }} in {{ city | your city }},")


def with_cities(project: Project) -> None:
    """A list with a column of its own, and an issue that uses it."""
    (project.folder / "newsletter.toml").write_text(
        SETTINGS.replace("[archive]", '[audience]\nfields = ["city"]\n[archive]')
    )
    (project.folder / "subscribers.csv").write_text(
        "email,name,language,city\nanna@readers.example,Anna,en,Graz\n"
    )
    project.issue(WITH_FIELD)


def test_render_writes_the_very_parts_of_the_mail(project: Project) -> None:
    with_cities(project)
    done = project.run("render", "2017-04", "--out", "build/april")
    went_well(done, "build/april", "as anna@readers.example would get them")
    folder = project.folder / "build" / "april"
    assert {"2017-04.en.html", "2017-04.en.txt", "2017-04.en.eml"} == {
        path.name for path in folder.iterdir()
    }
    mail = parsed((folder / "2017-04.en.eml").read_bytes())
    html = (folder / "2017-04.en.html").read_text(encoding="utf-8")
    text = (folder / "2017-04.en.txt").read_text(encoding="utf-8")
    assert html.splitlines() == part(mail, "html").splitlines()
    assert text.splitlines() == part(mail, "plain").splitlines()
    assert "Dear Anna in Graz," in text
    stranger = project.run("render", "2017-04", "--out", "build", "--to", "b@readers.example")
    stopped(stranger, 2, "“b@readers.example” is not on the list.", "subscribers.csv")


def test_a_proof_is_marked_and_leaves_no_trace_in_the_ledger(project: Project) -> None:
    with_cities(project)
    to = ("--to", "anna@readers.example", "--to", "me@example.org")
    went_well(project.run("test", "2017-04", *to), "anna@readers.example: accepted", "outbox/new")
    proofs = {mail["To"].addresses[0].addr_spec: mail for mail in mails(project)}
    assert {"anna@readers.example", "me@example.org"} == proofs.keys()
    assert {"[Proof] One story in April"} == {mail["Subject"] for mail in proofs.values()}
    # Who is on the list sees the mail as readers do; nobody else has a city.
    assert "Dear Anna in Graz," in part(proofs["anna@readers.example"], "plain")
    assert "Dear friend in your city," in part(proofs["me@example.org"], "plain")
    assert "newsletter.db" not in files(project)
    went_well(project.run("send", "2017-04", "--yes"), "1 planned = 1 accepted")


def test_a_proof_needs_no_list_but_an_address_and_a_relay_that_takes_it(project: Project) -> None:
    (project.folder / "subscribers.csv").unlink()
    bad = project.run("test", "2017-04", "--to", "me at home", "--to", "you")
    stopped(
        bad,
        2,
        "“me at home” is not an email address. An email address must have an @-sign.",
        "“you” is not an email address.",
    )
    gone = {"me@example.org": b"550 5.1.1 no such mailbox"}
    with SmtpServer(recipients=gone) as server:
        project.settings(smtp_delivery(server.port))
        done = project.run("test", "2017-04", "--to", "me@example.org")
        assert (4, "") == (done.returncode, done.stderr)
        assert "me@example.org: not accepted: 550 5.1.1 no such mailbox" in done.stdout


def test_check_speaks_json_to_programs_and_nothing_else(project: Project) -> None:
    project.issue(SHORT_ISSUE.replace("It is short", "Lorem ipsum, it is short"))
    done = project.run("check", "2017-04", "--format", "json")
    assert (3, "") == (done.returncode, done.stderr)
    report = json.loads(done.stdout)
    assert 1 == report["counts"]["error"]
    assert "placeholder-text" in {finding["id"] for finding in report["findings"]}
    project.issue("title: [")
    broken = project.run("check", "2017-04", "--format", "json")
    stopped(broken, 2)
    assert "" == broken.stdout


def test_check_tells_what_the_mail_weighs_and_on_request_what_each_story_does(
    project: Project,
) -> None:
    done = project.run("check", "2017-04")
    assert re.search(
        r"^en: HTML \d+\.\d KB of 102 \(\d+\.\d KB encoded\), text \d\.\d KB\.$",
        done.stdout,
        re.MULTILINE,
    )
    assert "ends at" not in done.stdout
    headline = "The only story of the month"
    table = project.run("check", "2017-04", "--sizes").stdout
    assert re.search(rf"^ *1( +\d+\.\d KB){{3}} +shown  {headline}$", table, re.MULTILINE)
    printed = json.loads(project.run("check", "2017-04", "--format", "json").stdout)
    assert ["en"] == [size["language"] for size in printed["sizes"]]
    assert headline == printed["sizes"][0]["stories"][0]["headline"]


def test_the_preview_serves_the_mail_until_ctrl_c(project: Project) -> None:
    with running_program(project, "preview", "2017-04", "--no-browser") as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        address = next(word for word in line.split() if word.startswith("http://127.0.0.1:"))
        with urllib.request.urlopen(address, timeout=20) as page:
            assert 200 == page.status
        process.send_signal(signal.SIGINT)
        done = ended(process)
    went_well(done, "The preview ended.")


def test_output_that_nobody_reads_to_its_end_gives_no_traceback(project: Project) -> None:
    project.issue(SHORT_ISSUE.replace("It is short", "Lorem ipsum, it is short"))
    with running_program(project, "check", "2017-04") as process:
        assert process.stdout is not None
        process.stdout.close()  # as `head -0` would
        assert process.stderr is not None
        said = process.stderr.read()
        process.wait(timeout=30)
    assert "" == said


def test_a_terminal_without_curly_quotes_still_shows_errors(project: Project) -> None:
    ascii_only = project.environment(PYTHONIOENCODING="ascii")
    stopped(
        project.run_program("check", "2017-09", env=ascii_only),
        2,
        "There is no issue ?2017-09? here",
    )


def test_version_and_help_are_there_without_a_project(project: Project) -> None:
    (project.folder / "newsletter.toml").unlink()
    version: subprocess.CompletedProcess[str] = project.run("--version")
    went_well(version, "newsletter 0.")
    went_well(project.run("--help"), "send", "status", "resume", "Exit codes")


def test_the_plan_shows_what_is_odd_in_the_list(project: Project) -> None:
    odd = ["email,name,language", *(f"reader{n}@readers.example,R\x07 {n},en" for n in range(5))]
    (project.folder / "subscribers.csv").write_text("\n".join(odd))
    warned = project.run("subscribers", "check").stdout.partition("Worth a look:")[2]
    warnings = [line for line in warned.splitlines() if line.startswith("  • ")]
    assert warnings
    done = project.run("send", "2017-04", "--dry-run")
    assert 0 == done.returncode, done.stderr
    assert f"In the list, {len(warnings)} thing" in done.stdout
    assert [line in done.stdout for line in warnings] == [n < 3 for n in range(len(warnings))]
    assert ("newsletter subscribers check" in done.stdout) == (len(warnings) > 3)
