"""A send through an HTTP provider, from end to end."""

from collections import Counter

from tests.cli.support import stopped, went_well
from tests.support.http_server import HttpServer, cut_after_taking, cut_before_taking
from tests.support.project import Project
from tests.support.resend_side import API_KEY, ResendSide


def through(project: Project, server: HttpServer) -> None:
    project.list_of(7)
    project.settings(
        f"""
transport = "resend"
connections = 2
batch = 3

[resend]
api_key = {{ env = "NEWSLETTER_API_KEY" }}
base_url = "{server.url}"
"""
    )


def test_everyone_gets_it_once_and_a_key_that_is_refused_mails_nobody(project: Project) -> None:
    everyone = Counter(f"reader{number}@readers.example" for number in range(7))
    with HttpServer(ResendSide()) as server:
        through(project, server)
        wrong = project.environment(NEWSLETTER_API_KEY="re_wrong_and_secret")
        refused = project.run("send", "2017-04", "--yes", env=wrong)
        stopped(refused, 4, "API key is invalid.", "newsletter resume")
        assert "re_wrong_and_secret" not in refused.stdout + refused.stderr
        assert "7 planned" in refused.stdout
        assert not server.taken()

        right = project.environment(NEWSLETTER_API_KEY=API_KEY)
        done = project.run("resume", "2017-04", env=right, hurried=True)
        went_well(done, "7 planned = 7 accepted", "Complete.")
        assert API_KEY not in done.stdout
        assert everyone == server.taken()


def test_a_line_that_is_cut_mails_nobody_twice(project: Project) -> None:
    everyone = Counter(f"reader{number}@readers.example" for number in range(7))
    with HttpServer(ResendSide()) as server:
        through(project, server)
        server.script.extend([cut_after_taking, cut_before_taking])
        right = project.environment(NEWSLETTER_API_KEY=API_KEY)
        done = project.run("send", "2017-04", "--yes", env=right)
        went_well(done, "7 planned = 7 accepted", "Complete.")
        assert everyone == server.taken()


def test_one_bad_address_costs_nobody_else_their_mail(project: Project) -> None:
    """The parts of a batch that is refused are on record as calls of their own."""
    bad = "reader3@readers.example"
    with HttpServer(ResendSide()) as server:
        through(project, server)
        server.refused.add(bad)
        right = project.environment(NEWSLETTER_API_KEY=API_KEY)
        done = project.run("send", "2017-04", "--yes", env=right)
        assert "7 planned = 6 accepted + 1 refused" in done.stdout, done.stdout + done.stderr
        others = [f"reader{number}@readers.example" for number in range(7) if number != 3]
        assert Counter(others) == server.taken()


def test_a_letter_that_the_provider_cannot_take_is_told_before_anything_is_frozen(
    project: Project,
) -> None:
    project.settings(
        """
transport = "brevo"

[brevo]
api_key = { env = "NEWSLETTER_API_KEY" }
base_url = "http://127.0.0.1:9"
"""
    )
    settings = project.folder / "newsletter.toml"
    settings.write_text(settings.read_text().replace("Defenders' Newsletter", "Défenseurs"))
    done = project.run(
        "send", "2017-04", "--yes", env=project.environment(NEWSLETTER_API_KEY=API_KEY)
    )
    stopped(done, 2, "[list] name", "plain letters")
    assert "Nothing has been sent from here yet" in project.run("status").stdout
