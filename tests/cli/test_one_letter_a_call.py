"""A send through providers that take one letter a call, from end to end."""

from collections import Counter

import pytest

from tests.cli.support import went_well
from tests.support.http_server import HttpServer, Provider, cut_after_taking
from tests.support.project import Project
from tests.transports.providers.test_mailersend import MailerSendSide
from tests.transports.providers.test_mailgun import DOMAIN, MailgunSide
from tests.transports.providers.test_scaleway import PROJECT, ScalewaySide
from tests.transports.providers.test_sendgrid import SendGridSide

EVERYONE = Counter(f"reader{number}@readers.example" for number in range(4))
WAYS = [
    ("mailgun", MailgunSide(), "api_key", f'domain = "{DOMAIN}"'),
    ("sendgrid", SendGridSide(), "api_key", ""),
    ("mailersend", MailerSendSide(), "api_token", ""),
    ("scaleway", ScalewaySide(), "secret_key", f'project_id = "{PROJECT}"'),
]


@pytest.mark.parametrize(("name", "side", "secret", "more"), WAYS, ids=[way[0] for way in WAYS])
def test_a_cut_line_leaves_one_in_doubt_and_all_others_get_it_once(
    project: Project, name: str, side: Provider, secret: str, more: str
) -> None:
    project.list_of(4)
    environment = project.environment(NEWSLETTER_API_KEY=f"{secret}-0123456789")
    with HttpServer(side) as server:
        project.settings(
            f"""
transport = "{name}"
connections = 1

[{name}]
{secret} = {{ env = "NEWSLETTER_API_KEY" }}
base_url = "{server.url}"
{more}
"""
        )
        server.script.append(cut_after_taking)
        cut = project.run("send", "2017-04", "--yes", env=environment)
        assert "1 in doubt" in cut.stdout
        project.run("resume", "2017-04", env=environment)
        assert EVERYONE == server.taken()
        if name != "mailersend":  # it cannot be asked
            asked = project.run("reconcile", "2017-04", env=environment)
            went_well(asked, "1 by asking", "Nobody is in doubt.")
        assert EVERYONE == server.taken()
