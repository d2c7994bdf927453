"""``newsletter test --sandbox``: checked by the provider, delivered to nobody."""

from collections.abc import Mapping

from tests.cli.support import outbox, stopped, went_well
from tests.support.http_server import HttpServer
from tests.support.project import Project
from tests.support.resend_side import API_KEY, ResendSide
from tests.transports.providers.test_lettermint import TOKEN as LETTERMINT_TOKEN
from tests.transports.providers.test_lettermint import LettermintSide
from tests.transports.providers.test_mailtrap import TOKEN, MailtrapSide

ME = ("--to", "me@readers.example", "--sandbox")


def through(project: Project, name: str, more: str) -> Mapping[str, str]:
    project.settings(f'transport = "{name}"\n[{name}]\n{more}')
    return project.environment(KEY=TOKEN, LIVE=LETTERMINT_TOKEN, TRYING=LETTERMINT_TOKEN)


def test_a_proof_goes_to_the_sandbox_and_to_nobody_else(project: Project) -> None:
    with HttpServer(MailtrapSide()) as server:
        settings = f'api_token = {{ env = "KEY" }}\nsandbox_inbox = 7\nbase_url = "{server.url}"'
        done = project.run("test", "2017-04", *ME, env=through(project, "mailtrap", settings))
        went_well(
            done, "me@readers.example: checked by Mailtrap, delivered to nobody (200 accepted)"
        )
        assert ["/api/batch/7"] == [request.path for request in server.requests]


def test_what_is_no_sandbox_after_all_is_told(project: Project) -> None:
    with HttpServer(LettermintSide()) as server:
        settings = (
            f'api_token = {{ env = "LIVE" }}\nsandbox_token = {{ env = "TRYING" }}\n'
            f'base_url = "{server.url}"'
        )
        done = project.run("test", "2017-04", *ME, env=through(project, "lettermint", settings))
        words = "Lettermint does not say that a sandbox took the proof."
        stopped(done, 4, words, "Look whose token sandbox_token is")


def test_a_provider_without_one_says_so_and_sends_nothing(project: Project) -> None:
    with HttpServer(ResendSide(API_KEY)) as server:
        settings = f'api_key = {{ env = "KEY" }}\nbase_url = "{server.url}"'
        done = project.run("test", "2017-04", *ME, env=through(project, "resend", settings))
        stopped(done, 2, "Resend has no sandbox.", "delivered@resend.dev")
        assert [] == server.requests


def test_the_mailbox_has_none_and_files_nothing(project: Project) -> None:
    done = project.run("test", "2017-04", *ME)
    stopped(done, 2, "There is no sandbox for the transport “mailbox”.")
    assert [] == outbox(project)


def test_what_is_for_trying_alone_need_not_be_there_for_a_send(project: Project) -> None:
    with HttpServer(LettermintSide()) as server:
        settings = (
            f'api_token = {{ env = "LIVE" }}\nsandbox_token = {{ env = "NOT_SET" }}\n'
            f'base_url = "{server.url}"'
        )
        done = project.run("send", "2017-04", "--yes", env=through(project, "lettermint", settings))
        went_well(done, "3 planned = 3 accepted")
        assert 3 == sum(server.taken().values())
