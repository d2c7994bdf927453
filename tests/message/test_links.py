"""The links of a mail that are its reader's own."""

from datetime import timedelta
from email import message_from_bytes, policy

import pytest
from newsletter.config import ListIdentity, Public
from newsletter.message.compose import Composer
from newsletter.message.links import Links
from newsletter.message.shared_headers import Letterhead
from newsletter.message.tokens import NOBODY, Purpose, Token, verify
from newsletter.render.edition import Edition
from newsletter.render.slots import Slot

from tests.message.samples import (
    ARCHIVE,
    CAMPAIGN,
    DATE,
    EDITION,
    KEYS,
    LIST,
    SENDER,
    VERIFIER,
    reader,
    token,
)

PUBLIC = Public(url="https://news.defenders.example/mail/")
BARE = ListIdentity(id=LIST.id, name=LIST.name)
MINUTE = int(DATE.timestamp()) // 60


def links(public: Public | None = PUBLIC, *, proof: bool = False, language: str = "ar") -> Links:
    return Links(
        Letterhead(SENDER, LIST if public is None else BARE, public=public),
        keys=KEYS,
        campaign_id=CAMPAIGN,
        language=language,
        proof=proof,
    )


def said(text: str) -> Token:
    found = verify(text, VERIFIER)
    assert found is not None
    return found


def test_each_link_has_its_own_address_and_a_token_for_its_purpose() -> None:
    own = links().to(reader().address, date=DATE)
    base = "https://news.defenders.example/mail"
    header, page, preferences = (
        own.header.removeprefix(f"<{base}/1/").removesuffix(">"),
        own.page.removeprefix(f"{base}/leave/").removesuffix("?lang=ar"),
        own.preferences.removeprefix(f"{base}/preferences/").removesuffix("?lang=ar"),
    )
    address, campaign = KEYS.address_tag(reader().address), KEYS.campaign_tag(CAMPAIGN)
    for text, purpose in (
        (header, Purpose.HEADER),
        (page, Purpose.PAGE),
        (preferences, Purpose.PREFERENCES),
    ):
        assert Token(purpose, address, campaign, MINUTE) == said(text)
    assert 3 == len({header, page, preferences})


def test_a_list_with_a_page_of_its_own_has_no_preferences() -> None:
    own = links(None).to(reader().address, date=DATE)
    base = "https://news.defenders.example/u/"
    assert Purpose.HEADER is said(own.header.removeprefix(f"<{base}").removesuffix(">")).purpose
    assert Purpose.PAGE is said(own.page.removeprefix(base)).purpose
    assert "" == own.preferences


def test_mailto_stands_behind_https_with_the_token_of_the_header() -> None:
    public = Public(url="https://news.defenders.example", mailto="leave+me@defenders.example")
    https, mailto = links(public).to(reader().address, date=DATE).header.split(", ")
    text = https.removeprefix("<https://news.defenders.example/1/").removesuffix(">")
    assert f"<mailto:leave%2Bme@defenders.example?subject={text}>" == mailto
    assert Purpose.HEADER is said(text).purpose


def test_the_links_of_a_proof_stand_for_nobody() -> None:
    own = links(proof=True).to(reader().address, date=DATE)
    for url in (own.header.strip("<>"), own.page, own.preferences):
        found = said(url.partition("?")[0].rpartition("/")[2])
        assert found.inert
        assert NOBODY == found.address_tag


def test_the_same_date_gives_the_same_links_and_another_minute_others() -> None:
    first, again = (links().to(reader().address, date=DATE) for _ in range(2))
    assert first == again
    assert first != links().to(reader().address, date=DATE + timedelta(minutes=1))


def mail(public: Public, edition: Edition = EDITION) -> bytes:
    composer = Composer(
        edition,
        Letterhead(SENDER, BARE, ARCHIVE, public),
        campaign_id=CAMPAIGN,
        keys=KEYS,
    )
    return composer.compose(reader(), date=DATE).as_bytes()


def test_the_mail_carries_them_in_header_and_body() -> None:
    slot = Slot(token(9), "preferences_url", "text")
    edition = Edition(
        **{
            **{name: getattr(EDITION, name) for name in EDITION.__dataclass_fields__},
            "slots": (*EDITION.slots, slot),
            "text": f"{EDITION.text}\n{token(9)}\n",
        }
    )
    own = links(language="en").to(reader().address, date=DATE)
    message = message_from_bytes(mail(PUBLIC, edition), policy=policy.default)
    assert own.header == message["List-Unsubscribe"]
    body = message.get_body(("plain",))
    assert body is not None
    text = body.get_content()
    assert own.page in text
    assert own.preferences in text
    assert own.header.strip("<>") not in text


def test_the_longest_addresses_fit_their_lines_and_are_folded_between_them_only() -> None:
    url = f"https://news.defenders.example/{'p' * 369}"
    address = f"{'l' * 64}@{'d' * 60}.{'d' * 60}.{'d' * 58}.example"
    raw = mail(Public(url=url, mailto=address))
    head = raw.partition(b"\r\n\r\n")[0]
    assert 998 >= max(map(len, head.split(b"\r\n")))
    own = links(Public(url=url, mailto=address)).to(reader().address, date=DATE).header
    https, mailto = own.split(", ")
    assert f"List-Unsubscribe: {https},\r\n {mailto}\r\n".encode() in raw
    with pytest.raises(ValueError, match="400 of them at most"):
        Public(url=f"{url}p")


@pytest.mark.parametrize(
    "url",
    [
        *("http://news.example.org", "news.example.org", "https://", "ftp://news.example.org", ""),
        *("https://a.example/?x=1", "https://a.example/#x", "https://a.example/a b"),
        *(
            "https://u:p@a.example",
            "https://a.example/{token}",
            "https://a.example/>",
            "https:///a",
        ),
        *("http://localhost.evil.example", "https://a.example:port", "https://a.example\r\nX: y"),
    ],
)
def test_an_address_that_cannot_be_the_servers_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="must"):
        Public(url=url)


@pytest.mark.parametrize(
    ("url", "read"),
    [
        ("https://news.example.org/", "https://news.example.org"),
        ("https://news.example.org/list//", "https://news.example.org/list"),
        ("https://défenseurs.example", "https://xn--dfenseurs-b4a.example"),
        ("http://localhost:8000", "http://localhost:8000"),
        ("http://127.0.0.1:8000/x", "http://127.0.0.1:8000/x"),
        ("http://[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_the_address_is_read_without_its_last_slash(url: str, read: str) -> None:
    assert read == Public(url=url).url
