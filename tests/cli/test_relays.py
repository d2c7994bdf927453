"""A send through several relays, as a person sees it."""

from tests.cli.support import went_well
from tests.support.project import Project, smtp_delivery
from tests.support.smtp_server import SmtpServer


def test_a_relay_that_the_send_had_to_do_without_is_named_at_the_end(project: Project) -> None:
    with SmtpServer() as good, SmtpServer() as plain:
        project.settings(
            smtp_delivery(good.port, connections=1)
            + "messages_per_connection = 1\n"
            + f'[[smtp.more]]\nhost = "127.0.0.1"\nport = {plain.port}\nsecurity = "starttls"\n'
        )
        done = project.run("send", "2017-04", "--yes")
        went_well(
            done,
            f"smtp: through 127.0.0.1, port {good.port} and 127.0.0.1, port {plain.port}",
            f"The relay 127.0.0.1:{plain.port} was left out: The relay offers no encryption",
            "3 planned = 3 accepted",
            "Complete.",
        )
        assert 3 == good.copies().total()
        assert not plain.accepted
