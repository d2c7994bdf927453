"""The same words from a provider's API for each recipient are about us, as they are by SMTP."""

import re
from typing import Any

import pytest

from tests.cli.support import went_well
from tests.support.brevo_side import BrevoSide
from tests.support.http_server import HttpServer, Provider, Row
from tests.support.mailjet_side import MailjetSide
from tests.support.postmark_side import PostmarkSide, row
from tests.support.project import Project
from tests.support.resend_side import API_KEY, ResendSide
from tests.support.tools import PROVE
from tests.transports.providers.test_mailersend import MailerSendSide
from tests.transports.providers.test_mailgun import DOMAIN, MailgunSide
from tests.transports.providers.test_mailtrap import TOKEN, MailtrapSide
from tests.transports.providers.test_scaleway import PROJECT, ScalewaySide
from tests.transports.providers.test_sendgrid import SendGridSide

ADDRESSES = [f"r{n}@d{n}.example.net" for n in range(1, 13)]


class UnwillingPostmark(PostmarkSide):
    """Refuses each recipient with the code for inactive ones, and words that are about us."""

    @staticmethod
    def _row(told: Row) -> dict[str, Any]:
        if told.id is None:
            return row(406, f"The sender is not allowed to mail {told.address}.")
        return PostmarkSide._row(told)


WAYS = [
    ("postmark", UnwillingPostmark(), {"server_token": "server_token-0123456789"}, ""),
    ("resend", ResendSide(), {"api_key": API_KEY}, ""),
    (
        "mailjet",
        MailjetSide(),
        {"api_key": "api_key-0123456789", "secret_key": "secret_key-0123456789"},
        "",
    ),
    (
        "scaleway",
        ScalewaySide(),
        {"secret_key": "secret_key-0123456789"},
        f'project_id = "{PROJECT}"',
    ),
    ("mailgun", MailgunSide(), {"api_key": "api_key-0123456789"}, f'domain = "{DOMAIN}"'),
    ("brevo", BrevoSide(), {"api_key": "api_key-0123456789"}, ""),
    ("mailersend", MailerSendSide(), {"api_token": "api_token-0123456789"}, ""),
    ("sendgrid", SendGridSide(), {"api_key": "api_key-0123456789"}, ""),
    ("mailtrap", MailtrapSide(), {"api_token": TOKEN}, ""),
]


@pytest.mark.parametrize("batch", [5, 50] if PROVE else [5])
@pytest.mark.parametrize(("name", "side", "secrets", "more"), WAYS, ids=[way[0] for way in WAYS])
def test_the_same_refusal_for_everybody_stops_the_run_and_blames_nobody(
    project: Project, name: str, side: Provider, secrets: dict[str, str], more: str, batch: int
) -> None:
    lines = ["email,name", *(f"{address},Reader" for address in ADDRESSES)]
    (project.folder / "subscribers.csv").write_text("\n".join(lines) + "\n")
    keys = "\n".join(f'{key} = {{ env = "{key.upper()}" }}' for key in secrets)
    environment = project.environment(**{key.upper(): value for key, value in secrets.items()})
    with HttpServer(side) as server:
        project.settings(
            f'transport = "{name}"\nconnections = 1\nbatch = {batch}\n'
            f'[{name}]\n{keys}\nbase_url = "{server.url}"\n{more}\n'
        )
        server.refused.update(ADDRESSES)
        done = project.run("send", "2017-04", "--yes", env=environment, hurried=True)
        assert 4 == done.returncode, done.stdout
        numbers = done.stdout.partition("The numbers add up: ")[2].splitlines()[0]
        # Parts of a batch refused whole that were not tried on their own are deferred.
        left = [int(number) for number in re.findall(r"(\d+) (?:waiting|deferred)", numbers)]
        assert 12 == sum(left), numbers
        assert "refused" not in numbers
        assert "Complete." not in done.stdout
        server.refused.clear()
        server._keys.clear()
        done = project.run("resume", "2017-04", env=environment, hurried=True)
        went_well(done, "12 planned = 12 accepted", "Complete.")
        assert set(ADDRESSES) == set(server.taken())
