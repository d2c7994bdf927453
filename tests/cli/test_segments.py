"""An issue sent to a segment: who is in it, what was frozen, and that nobody gets it twice."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from newsletter.project import Project as Application

from tests.cli.copies.support import cleaned
from tests.cli.support import mails, stopped, went_well
from tests.support.project import SHORT_ISSUE, Project, smtp_delivery
from tests.support.public_side import public_settings, public_side
from tests.support.smtp_server import CUT, SmtpServer, after, once

LIST = """\
email,name,language,country,joined
reader0@readers.example,Zero,fr,BE,2024-03-01
reader1@readers.example,One,fr-CA,FR,2025-03-01
reader2@readers.example,Two,en,BE,2025-03-01
reader3@readers.example,Three,,,
reader4@readers.example,Four,pt-BR,be,2025-06-01
"""
SEGMENTS = """
[audience]
fields = ["country"]

[segments.french-speakers]
languages = ["fr"]

[segments.belgium]
fields.country = ["BE"]

[segments.new]
joined_since = 2025-01-01
not.languages = ["fr"]

[segments.nobody]
languages = ["ar"]
"""
SEND = ("send", "2017-04", "--yes")


@pytest.fixture
def server() -> Iterator[SmtpServer]:
    with SmtpServer() as server:
        yield server


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project(tmp_path / "here", delivery=SEGMENTS)
    (project.folder / "subscribers.csv").write_text(LIST)
    return project


def over(project: Project, server: SmtpServer) -> Project:
    """Sent one by one, for real."""
    delivery = smtp_delivery(server.port, connections=1) + "messages_per_connection = 1\n"
    project.settings(delivery + SEGMENTS)
    return project


def readers(*numbers: int) -> Counter[str]:
    return Counter(f"reader{number}@readers.example" for number in numbers)


def test_the_plan_says_who_is_in_who_is_out_and_why_and_they_alone_are_mailed(
    project: Project,
) -> None:
    done = project.run(*SEND, "--segment", "new")
    went_well(done, "new: 2 of 5 people on the list", "2 planned = 2 accepted",
              "1 person: they are on the list since before 2025-01-01",
              "1 person: it is not known since when",
              "1 person: what stands under “not” holds",
              "3 people outside the segment (--segment)")  # fmt: skip
    assert readers(2, 4) == Counter(str(m["To"].addresses[0].addr_spec) for m in mails(project))
    assert "outside the segment" in project.run("status", "2017-04").stdout
    done = project.run(*SEND, "--segment", "belgium")
    went_well(done, "3 of 5 people on the list", "2 people have this issue already",
              "1 planned = 1 accepted")  # fmt: skip
    went_well(project.run(*SEND), "2 planned = 2 accepted")
    assert readers(0, 1, 2, 3, 4) == Counter(
        str(m["To"].addresses[0].addr_spec) for m in mails(project)
    )
    done = project.run("report", "2017-04", "--json")
    assert "belgium" not in done.stdout


def test_a_segment_is_listed_and_nobody_in_it_is_said(project: Project) -> None:
    done = project.run("subscribers", "list", "--segment", "french-speakers", "--json")
    assert readers(0, 1) == Counter(
        json.loads(line)["address"] for line in done.stdout.splitlines()
    )
    assert "2024-03-01" == json.loads(done.stdout.splitlines()[0])["joined"]
    done = project.run("subscribers", "list", "--segment", "belgium")
    went_well(done, "reader4@readers.example", "3 people in “belgium”")
    went_well(project.run("subscribers", "export", "b.json", "--segment", "belgium"), "3 people")
    assert 3 == len((project.folder / "b.json").read_text().splitlines())
    went_well(project.run(*SEND, "--segment", "nobody"), "nobody: 0 of 5 people",
              "5 people: they do not read ar", "Nobody is left to mail")  # fmt: skip
    stopped(project.run(*SEND, "--segment", "belgum"), 2, "no segment “belgum”",
            "Did you mean “belgium”")  # fmt: skip
    stopped(project.run("subscribers", "list", "--segment", "x"), 2, "no segment “x”")


def test_a_setting_that_cannot_be_used_is_named_with_its_line_and_what_was_meant(
    project: Project,
) -> None:
    wrong = '\n[segments.a]\nfields.contry = ["BE"]\n[segments.b]\nany = [{ topics = ["x"] }]\n'
    project.settings(SEGMENTS + wrong)
    text = (project.folder / "newsletter.toml").read_text().splitlines()
    line = text.index('fields.contry = ["BE"]') + 1
    stopped(project.run(*SEND), 2, f"newsletter.toml:{line}",
            "Did you mean “country”", "names “x”, which is not in “topics”")  # fmt: skip
    project.settings(SEGMENTS + "\n[segments.a]\nlanguage = ['fr']\n[segments.b]\n")
    stopped(project.run(*SEND), 2, "Did you mean “languages”", "says nothing; write languages")
    deep = "[segments.a]\nnot" + ".not" * 300 + ".languages = ['fr']\n"
    project.settings(SEGMENTS + deep)
    stopped(project.run(*SEND), 2, "more than 20 deep")


def test_topics_are_those_that_readers_chose_and_who_never_chose_wants_all(
    project: Project,
) -> None:
    topics = '[public.topics]\nappeals = { en = "Appeals" }\nnews = { en = "News" }\n'
    segment = '[segments.appeals]\ntopics = ["appeals"]\n'
    project.settings(SEGMENTS + segment + public_settings() + topics)
    with public_side(project.folder) as side:
        side.sign_up("new1@readers.example", topics=["news"])
        side.sign_up("new2@readers.example", topics=["appeals"])
        side.sign_up("new3@readers.example")
        tag = side.tag("reader0@readers.example").hex()
        side.add(kind="preferences", tag=tag, changes={"topics": {"appeals": False}})
        went_well(project.run("sync"))
    went_well(project.run("subscribers", "set", "reader1@readers.example", "--no-topic", "appeals"))
    done = project.run("subscribers", "list", "--segment", "appeals", "--json")
    found = [json.loads(line)["address"].partition("@")[0] for line in done.stdout.splitlines()]
    assert ["reader2", "reader3", "reader4", "new2", "new3"] == found
    went_well(project.run("subscribers", "set", "new1@readers.example", "--topic", "appeals"))
    done = project.run(*SEND, "--segment", "appeals", "--without-log")
    went_well(done, "2 people: they do not want appeals", "6 planned = 6 accepted")


def test_an_import_says_since_when_and_holds_the_columns_of_a_segment(project: Project) -> None:
    (project.folder / "moved.csv").write_text(
        "email,country,created_at\nold@a.example,BE,2020-05-05\n"
    )
    (project.folder / "subscribers.csv").unlink()
    (project.folder / "more.csv").write_text("email,country\nlate@a.example,FR\n")
    went_well(project.run("subscribers", "import", "moved.csv", "more.csv", "--yes"))
    done = project.run("subscribers", "list", "--segment", "belgium", "--json")
    assert "2020-05-05" == json.loads(done.stdout)["joined"]
    done = project.run("subscribers", "list", "--segment", "new", "--json")
    assert "late@a.example" == json.loads(done.stdout)["address"]  # the day of the import


def test_who_may_have_it_through_one_segment_does_not_get_it_through_another(
    project: Project, server: SmtpServer
) -> None:
    over(project, server)
    server.behaviours["dot"] = once(CUT)
    done = project.run(*SEND, "--segment", "french-speakers")
    assert 6 == done.returncode, done.stdout + done.stderr
    assert readers(0, 1) == server.copies()  # whether the first one arrived, only the server knows
    went_well(project.run(*SEND, "--segment", "belgium"), "1 person has this issue already",
              "2 planned = 2 accepted")  # fmt: skip
    done = project.run(*SEND)
    assert "1 planned = 1 accepted" in done.stdout
    assert readers(0, 1, 2, 3, 4) == server.copies()


def test_while_one_segment_is_sent_another_waits_for_its_end(project: Project) -> None:
    with Application(project.folder).lock():
        stopped(project.run(*SEND, "--segment", "belgium"), 5, "Another send is running")


def test_resume_and_correct_keep_the_frozen_audience_whatever_the_segment_says_now(
    project: Project, server: SmtpServer
) -> None:
    over(project, server)
    server.behaviours["MAIL"] = after(1, b"550 5.7.1 sender not allowed")
    done = project.run(*SEND, "--segment", "belgium")
    assert 4 == done.returncode, done.stdout + done.stderr
    server.behaviours.clear()
    toml = project.folder / "newsletter.toml"
    toml.write_text(toml.read_text().replace('country = ["BE"]', 'country = ["FR"]'))
    stopped(project.run(*SEND, "--segment", "belgium"), 5, "not finished")
    project.issue(SHORT_ISSUE.replace("One story", "Two stories"))
    went_well(project.run("correct", "2017-04", "--yes"), "goes to 2 people not attempted yet")
    went_well(project.run("resume", "2017-04", "--yes"))
    assert readers(0, 2, 4) == server.copies()
    went_well(project.run(*SEND, "--segment", "belgium"), "1 planned = 1 accepted")
    assert readers(0, 1, 2, 4) == server.copies()


def test_after_a_cleaned_folder_is_adopted_nobody_gets_it_through_another_segment(
    project: Project, server: SmtpServer
) -> None:
    over(project, server)
    went_well(project.run(*SEND, "--segment", "french-speakers"))
    cleaned(project)
    stopped(project.run(*SEND, "--segment", "belgium"), 5, "newsletter adopt")
    went_well(project.run("adopt", "--yes"))
    went_well(project.run(*SEND, "--segment", "belgium"), "2 planned = 2 accepted")
    went_well(project.run(*SEND), "1 planned = 1 accepted")
    assert readers(0, 1, 2, 3, 4) == server.copies()


def test_a_round_of_again_goes_through_segments_once(project: Project) -> None:
    went_well(project.run(*SEND))
    went_well(project.run(*SEND, "--again", "--segment", "belgium"), "3 planned = 3 accepted")
    went_well(project.run(*SEND, "--again", "--segment", "french-speakers"), "continues round 2",
              "1 planned = 1 accepted")  # fmt: skip
    assert 9 == len(mails(project))


def test_a_segment_without_a_name_is_not_all_of_the_list(project: Project) -> None:
    """As a script gives it whose variable is empty."""
    stopped(project.run("send", "2017-04", "--yes", "--segment", ""), 2, "--segment names none")
    assert not mails(project)
