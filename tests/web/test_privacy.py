"""The privacy notice: made from the settings, in each language, and linked from every page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from newsletter.config import Privacy
from newsletter.message.tokens import Purpose
from newsletter.web.bundle import Bundle

from tests.web.relay import confirmations_to, relay_running
from tests.web.served import Running, bundle, running, token

NOTICE = Privacy(
    basis="consent",
    officer="dpo@defenders.example",
    recipients=["Example Relay (Paris)", "Example Hosting & Co"],
    transfers={"en": "None outside the EU.", "fr": "Aucun hors de l’UE."},
    authority="Data Protection Authority of Belgium",
    authority_url="https://www.dataprotectionauthority.be/",
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    known = bundle(privacy=NOTICE)
    with running(tmp_path_factory.mktemp("public"), known=known) as started:
        yield started


def test_it_says_what_the_law_asks_for(server: Running) -> None:
    answer = server.get("/privacy?lang=en")
    assert 200 == answer.status_code
    assert "Set-Cookie" not in answer.headers
    for said in (
        *("Who we are", "dpo@defenders.example", "article 6(1)(a)"),
        *("Example Relay (Paris)", "Example Hosting &amp; Co", "None outside the EU."),
        *("and then: 3 years.", "Your rights", "https://www.dataprotectionauthority.be/"),
    ):
        assert said in answer.text
    assert "None" not in answer.text.replace("None outside", "")


@pytest.mark.parametrize(
    ("language", "said"),
    [("fr", "Aucun hors de l’UE."), ("ar", "None outside the EU."), ("es", "3 años")],
)
def test_it_speaks_the_languages_of_the_theme(server: Running, language: str, said: str) -> None:
    answer = server.get(f"/privacy?lang={language}")
    assert said in answer.text
    assert f'<html lang="{language}"' in answer.text
    assert "{years}" not in answer.text


@pytest.mark.parametrize(
    ("profile", "said"),
    [
        ("proof", "The proof of your consent stays"),
        ("eu-institution", "A day after you leave, all of it is erased."),
        ("minimal", "which issues we mailed you for: 90 days."),
    ],
)
def test_it_says_how_long_by_the_profile(tmp_path: Path, profile: str, said: str) -> None:
    with running(tmp_path, known=bundle(privacy=Privacy.model_validate({"profile": profile}))) as s:
        page = s.get("/privacy?lang=en").text
    assert said in page
    assert "Legal basis" not in page  # nothing is said of what is not set


def test_every_page_links_to_it_wherever_it_is(server: Running) -> None:
    for path, link in (
        (f"/leave/{token(Purpose.PAGE)}", "../privacy?lang=en"),
        (f"/preferences/{token(Purpose.PREFERENCES)}", "../privacy?lang=en"),
        ("/nowhere", "privacy?lang=en"),
        ("/no/where/at/all", "../../../privacy?lang=en"),
    ):
        assert f'href="{link}"' in server.get(f"{path}?lang=en").text


def test_the_form_links_to_it_before_its_button(tmp_path: Path) -> None:
    with (
        relay_running() as relay,
        confirmations_to(relay) as sender,
        running(tmp_path, confirmations=sender) as form,
    ):
        page = form.get("/subscribe?lang=fr").text
    (inside,) = re.findall(r"<form.*?</form>", page, re.DOTALL)
    link = inside.index('href="privacy?lang=fr"')
    assert inside.index('name="consent"') < link < inside.index("<button>")
    assert 1 == page.count("privacy?lang=fr")


def test_it_is_only_read(server: Running) -> None:
    assert 405 == server.post("/privacy", {"basis": "x"}).status_code
    assert [] == server.events()


def test_what_is_missing_is_named() -> None:
    assert ("basis", "recipients", "transfers", "authority") == Privacy().missing
    assert () == NOTICE.missing


def test_a_bundle_carries_it(tmp_path: Path) -> None:
    bundle(privacy=NOTICE, topics={"alerts": {"en": "Alerts"}}).write(tmp_path / "public")
    read = Bundle.load(tmp_path / "public")
    assert NOTICE == read.privacy
    assert {"alerts": {"en": "Alerts"}} == read.topics
