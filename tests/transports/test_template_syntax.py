import json
import re
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from newsletter.addresses import Address
from newsletter.config import PROVIDERS
from newsletter.message.model import Content
from newsletter.testing import FakeMessage, fake_messages
from newsletter.transports.provider import ApiMessage, call_key, provider_class
from newsletter.transports.template_syntax import escaped

from tests.transports.providers.harness import api_message, provider_of

WORDS = {
    "mailgun": ["%recipient.name%", "%unsubscribe_url%", "%recipient_fname%"],
    "postmark": ["{{{ pm:unsubscribe }}}", "{{name}}"],
    "brevo": ["{{ params.name }}", "{% if x %}", "{{{x}}}"],
    "mailjet": ["{{var:name}}", "[[data:name]]", "[[UNSUB_LINK_EN]]", "{% set x %}"],
    "mailersend": ["{{ name }}", "{$name}", "{% if x %}"],
    "sendgrid": ["{{name}}", "<%unsubscribe%>", "[Unsubscribe]", "[weblink]"],
    "lettermint": ["{{name}}"],
    "resend": ["{{{RESEND_UNSUBSCRIBE_URL}}}"],
    "mailtrap": ["{{name}}", "__unsubscribe_url__", "__tracking_opt_out_url__"],
}
CASES = [(provider, word) for provider, words in WORDS.items() for word in words]


def content_with(text: str, **more: Any) -> Content:
    return replace(fake_messages("anna@a.example", text=text)[0].as_content(), **more)


def words_of(provider: str) -> tuple[re.Pattern[str], ...]:
    return provider_class(provider).template_syntax


def interpreted(provider: str, text: str) -> bool:
    return any(words.search(text) for words in words_of(provider))


@pytest.mark.parametrize(("provider", "word"), CASES)
def test_a_providers_word_is_read_by_readers_and_not_by_the_provider(
    provider: str, word: str
) -> None:
    in_html = word.replace("<", "&lt;").replace(">", "&gt;")
    content = content_with(
        f"Write {word} there.",
        html=f'<p title="{in_html}">Write {in_html}</p>',
        subject=f"On {word}",
        to_name=word,
    )
    found = escaped(content, words_of(provider))
    for text in (found.html, found.text, found.subject, found.to_name):
        assert not interpreted(provider, text)
    assert unescape(content.html) == unescape(found.html)
    assert content.text == found.text.replace("\u2060", "")
    assert f"On {word}" == found.subject.replace("\u2060", "")


@pytest.mark.parametrize(("provider", "word"), CASES)
def test_a_link_that_holds_one_leads_where_it_led(provider: str, word: str) -> None:
    link = "https://a.example/" + word.replace(" ", "")
    content = content_with(f"See {link} now", html=f'<a href="{link}">here</a>')
    found = escaped(content, words_of(provider))
    assert "\u2060" not in found.text
    assert unquote(f"See {link} now") == unquote(found.text)
    assert content.html == unescape(found.html)
    assert not interpreted(provider, found.text + found.html)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_what_holds_no_such_word_is_left_as_it_is(provider: str) -> None:
    content = content_with(
        "100 % of {1}, [2] and 50%! https://el.example/%CE%B1%CE%B2?a=%recip",
        html="<style>@media screen{a{b:c}}#x{y:z}</style><p>{1} [2] 50%</p>",
    )
    assert content == escaped(content, words_of(provider))


def test_style_sheets_mean_the_same() -> None:
    styles = "<style>@media screen{#x{width:100%}}</style>"
    found = escaped(content_with("", html=f"{styles}<p>{{{{x}}}}</p>"), words_of("brevo"))
    assert "<style>@media screen{ #x{width:100%}}</style><p>&#123;{x}}</p>" == found.html


def test_a_letter_has_none_of_its_providers_words() -> None:
    message = FakeMessage(Address.parse("eve@e.example"), to_name="{{{ pm:unsubscribe }}}")
    assert "{{" not in api_message(message, "postmark").content.to_name
    assert "{{{ pm:unsubscribe }}}" == ApiMessage(message).content.to_name


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for each in value.values() if isinstance(value, dict) else value:
            yield from strings(each)


@pytest.mark.parametrize(
    "provider", sorted(WORDS.keys() - {"mailgun"})
)  # that takes whole messages
def test_what_a_provider_is_sent_has_none(provider: str) -> None:
    text = "Here: " + " and ".join(WORDS[provider])
    message = FakeMessage(Address.parse("eve@e.example"), f"{text}\n", to_name=WORDS[provider][0])
    request = provider_of(provider).request([api_message(message, provider)], call_key([message]))
    sent = list(strings(json.loads(request.body)))
    assert [each for each in sent if "Here: " in each]
    assert [] == [each for each in sent if interpreted(provider, each)]


def test_every_provider_that_fills_in_templates_has_its_words() -> None:
    assert (
        PROVIDERS.keys() - {"ses", "scaleway"} == set(filter(words_of, PROVIDERS)) == WORDS.keys()
    )


PIECES = ["{", "%", "#", "$", "[", "]", "<", "_", "url", "recipient", "unsubscribe", "a", " "]


@given(st.sampled_from(sorted(WORDS)), st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_whatever_is_written_no_word_is_left(provider: str, text: str) -> None:
    found = escaped(content_with(text, html=text), words_of(provider))
    assert not interpreted(provider, found.text + "\n" + found.html)
    assert text == found.text.replace("\u2060", "")
    assert text == unescape(found.html)
