"""Keeps a provider from reading a letter's words as its own template language. No I/O.

Many providers look for their words in each mail, asked or not: “{{name}}” in an
article about templates would reach its readers as a gap, and a reader called so
would get another's data. So the first character of each such word is written in
another way that means the same: in HTML as a character reference, in a link of a
plain text as a percent-encoded octet, elsewhere with an invisible character
behind it. Readers see, and links lead to, what was approved.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from types import MappingProxyType

from newsletter.message.model import Content

_JOINER = "\N{WORD JOINER}"
_STYLES = re.compile(r"(<style\b.*?</style\s*>)", re.IGNORECASE | re.DOTALL)
_LINKS = re.compile(r"((?:https?://|mailto:)\S+)", re.IGNORECASE)
_BRACES = r"\{(?=[{%#$])"
_PAIRS = ("{{", "{%", "{#", "{$")


@dataclass(frozen=True, slots=True)
class _Words:
    """A provider's words: ``pattern`` finds the first character of each.

    No text holds one that holds none of ``marks``; to look for those takes a
    tenth of the time.
    """

    pattern: re.Pattern[str]
    marks: tuple[str, ...]

    def __init__(self, pattern: str, *marks: str) -> None:
        object.__setattr__(self, "pattern", re.compile(pattern))
        object.__setattr__(self, "marks", marks)

    def may_stand_in(self, text: str) -> bool:
        return any(mark in text for mark in self.marks)


_WORDS = MappingProxyType(
    {
        # %recipient.name%, %unsubscribe_url%: https://documentation.mailgun.com
        "mailgun": _Words(
            r"%(?=(?:recipient|(?:mailing_list_|tag_)?unsubscribe)[^%\n]*%)" rf"|{_BRACES}",
            *("%recipient", "%unsubscribe", "%mailing_list_", "%tag_", *_PAIRS),
        ),
        # {{{ pm:unsubscribe }}}: https://postmarkapp.com/support/article/1299
        "postmark": _Words(r"\{(?=\{)", "{{"),
        # {{ params.x }}: https://developers.brevo.com/docs/send-a-transactional-email
        "brevo": _Words(_BRACES, *_PAIRS),
        # {{var:x}}, [[UNSUB_LINK_EN]]: https://dev.mailjet.com/email/template-language
        "mailjet": _Words(rf"{_BRACES}|\[(?=\[)", *_PAIRS, "[["),
        # {{ x }}, {$x}: https://developers.mailersend.com/api/v1/email.html
        "mailersend": _Words(_BRACES, *_PAIRS),
        # <% %>, [unsubscribe]: https://www.twilio.com/docs/sendgrid
        "sendgrid": _Words(
            r"\{(?=\{)|<(?=%)|\[(?=(?i:unsubscribe|subscribe|weblink)\])",
            *("{{", "<%", "[u", "[U", "[s", "[S", "[w", "[W"),
        ),
        "lettermint": _Words(_BRACES, *_PAIRS),
        "resend": _Words(r"\{(?=\{)", "{{"),
        # __unsubscribe_url__, __tracking_opt_out_url__: https://docs.mailtrap.io
        "mailtrap": _Words(r"\{(?=\{)|_(?=_[a-z_]+_url__)", "{{", "_url__"),
    }
)
"""By the word in newsletter.toml; who takes whole messages or has no such language is left out."""


def literal(content: Content, vendor: str) -> Content:
    """``content`` with nothing in it that the provider called ``vendor`` would interpret.

    Headers are left as they are: what stands in them is ours.
    """
    words = _WORDS.get(vendor)
    if words is None:
        return content
    plain = ("from_name", "to_name", "subject", "text")
    found = {name: value for name in plain if words.may_stand_in(value := getattr(content, name))}
    changed = {name: in_text(value, words.pattern) for name, value in found.items()}
    if words.may_stand_in(content.html):
        changed["html"] = in_html(content.html, words.pattern)
    return replace(content, **changed) if changed else content  # type: ignore[arg-type] # all str


def in_text(text: str, words: re.Pattern[str]) -> str:
    """``text`` with an invisible character behind the first character of each word.

    Within a link, where it would lead elsewhere, the first character is percent-encoded.
    """
    if words.search(text) is None:
        return text
    prose_and_links = _LINKS.split(text)
    prose_and_links[::2] = [words.sub(_joined, each) for each in prose_and_links[::2]]
    prose_and_links[1::2] = [words.sub(_encoded, each) for each in prose_and_links[1::2]]
    return "".join(prose_and_links)


def in_html(html: str, words: re.Pattern[str]) -> str:
    """``html`` with the first character of each word as a character reference.

    In style sheets, which know no references, it is set apart by a space.
    """
    if words.search(html) is None:
        return html
    outside_and_styles = _STYLES.split(html)
    outside_and_styles[::2] = [words.sub(_referred, each) for each in outside_and_styles[::2]]
    outside_and_styles[1::2] = [words.sub(_set_apart, each) for each in outside_and_styles[1::2]]
    return "".join(outside_and_styles)


def _joined(word: re.Match[str]) -> str:
    return f"{word[0][0]}{_JOINER}{word[0][1:]}"


def _encoded(word: re.Match[str]) -> str:
    return f"%{ord(word[0][0]):02X}{word[0][1:]}"


def _referred(word: re.Match[str]) -> str:
    return f"&#{ord(word[0][0])};{word[0][1:]}"


def _set_apart(word: re.Match[str]) -> str:
    return f"{word[0][0]} {word[0][1:]}"
