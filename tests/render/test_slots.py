import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from newsletter.errors import TemplateError
from newsletter.render.edition import CompileInput
from newsletter.render.pipeline import render_bound
from newsletter.render.slots import TOKEN, Slot, SlotRegistry, bind, nonce_for

from tests.render.samples import (
    ISSUE,
    SETTINGS,
    SOURCE,
    THEME,
    VALUES,
    compiled,
    material_of,
    theme_changed,
    theme_with,
)
from tests.support.tools import examples

NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
THEME_WITH_SLOTS_EVERYWHERE = theme_changed(
    "{{ w.sent_to }} {{ slot('email') }}.",
    """<span title="{{ slot('city') }}">{{ slot('city', 'no "city"') }}</span>
    {{ w.sent_to }} {{ slot('email') }}.
    <a href="{{ slot_url('city') }}" title='{{ slot("name") }}'>x</a>""",
)
EDITION = compiled(theme=THEME_WITH_SLOTS_EVERYWHERE)


def agree_with_the_slow_road(values: dict[str, str]) -> None:
    slow = render_bound(
        CompileInput(ISSUE, SOURCE, THEME_WITH_SLOTS_EVERYWHERE, SETTINGS, material_of(ISSUE)),
        values,
    )
    slots = {slot.token: slot for slot in EDITION.slots}
    for part in ("subject", "preheader", "html", "text"):
        assert getattr(slow, part) == bind(getattr(EDITION, part), slots, values)


@settings(max_examples=examples(60), deadline=None)
@given(NAMES, NAMES, st.one_of(NAMES, NAMES.map(lambda text: "https://a.example/" + text)))
@example("<b>", '"q"', "https://x.example/?a=1&b='\"<>")
@example("'", '"', "HTTPS://ü.example/ü")
@example("<!-- --> ]]>", "{{ x }} {% y %}", "javascript:alert(1)")
@example("Bonjour\u00a0!", "\u202f?", "می\u200cروم")
@example("हिन्दी", "e\u0301", "\U0001f468\u200d\U0001f469")
@example("a\nb", "a\\b", 'd"q')
@example("a\x85b \ufffe\uffff", "\u2028", "https://a.example/\u2028 x")
@example("&amp;&#60;", "  a   b ", "mailto:a@b.example?subject=a b")
@example("Zq00000000x0001qZ", "", "")
def test_binding_gives_the_bytes_of_the_whole_pipeline(name: str, email: str, city: str) -> None:
    agree_with_the_slow_road({**VALUES, "name": name, "email": email, "city": city})


@given(NAMES)
@example('"><script>alert(1)</script>')
@example("' onmouseover='x")
def test_a_value_opens_no_tag_and_ends_no_attribute(value: str) -> None:
    bound = Slot("", "name", "html").bind({"name": value})
    assert not set('<>"') & set(bound)


@given(NAMES)
def test_a_value_starts_no_line(value: str) -> None:
    for context in ("header", "text"):
        assert 1 >= len(Slot("", "name", context).bind({"name": value}).splitlines())


@pytest.mark.parametrize("value", ["javascript:alert(1)", " data:text/html,x", "a.example", ""])
def test_where_an_address_belongs_nothing_else_gets_in(value: str) -> None:
    slot = Slot("", "city", "url", "https://fallback.example/?a&b")
    assert "https://fallback.example/?a&amp;b" == slot.bind({"city": value})


def test_the_nonce_depends_on_every_source_and_occurs_in_none() -> None:
    nonce = nonce_for(["a", "b"])
    assert nonce == nonce_for(["a", "b"])
    assert nonce != nonce_for(["ab", ""])


def test_a_nonce_that_the_sources_hold_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    class Digest:
        def __init__(self) -> None:
            self.seen = b""

        def update(self, data: bytes) -> None:
            self.seen = data

        def copy(self) -> "Digest":
            return Digest()

        def hexdigest(self) -> str:
            return {b"0": "aaaaaaaa", b"1": "bbbbbbbb"}.get(self.seen, "cccccccc")

    monkeypatch.setattr("newsletter.render.slots.hashlib.sha256", Digest)
    assert "cccccccc" == nonce_for(["here is AAAAAAAA", "xbbbbbbbbx"])


def test_a_field_has_one_token_for_each_context_and_fallback() -> None:
    registry = SlotRegistry("0123abcd")
    first = registry.open("name", context="html", fallback="friend")
    assert first == registry.open("name", context="html", fallback="friend")
    others = {
        registry.open("name", context="text", fallback="friend"),
        registry.open("name", context="html"),
        registry.open("email", context="html", fallback="friend"),
    }
    assert 4 == len({first, *others})
    assert [slot.token for slot in registry.slots] == TOKEN.findall(
        " ".join(slot.token for slot in registry.slots)
    )


def test_the_edition_lists_its_slots_and_no_other() -> None:
    parts = (EDITION.subject, EDITION.preheader, EDITION.html, EDITION.text)
    found = {token for part in parts for token in TOKEN.findall(part)}
    assert {slot.token for slot in EDITION.slots} == found


@pytest.mark.parametrize(
    "misuse",
    [
        "slot('name')|upper",
        "slot('name')|length",
        "slot('name')|urlencode",
        "slot('name')|replace('a', 'b')",
        "slot('name')|default('x')",
        "slot('name')|e",
        "slot('name')|string",
        "slot('name')[:1]",
        "slot('name').first",
        "slot('name') == 'Anna'",
        "slot('name') < 'Anna'",
        "'x' in slot('name')",
        "'Dear ' ~ slot('name')",
        "'Dear ' + slot('name')",
        "slot('name') + '!'",
        "slot('name') * 2",
        "'%s' % slot('name')",
        "'{}'.format(slot('name'))",
        "'x' if slot('name') else 'y'",
        "slot('name') or 'friend'",
        "not slot('name')",
        "slot('name')|join",
        "slot('name')|int",
        "{slot('name'): 1}",
        "slot('name')()",
        "slot('name')|safe",
        "[slot('name')]",
    ],
)
@pytest.mark.parametrize("file", ["mail.mjml.j2", "mail.txt.j2"])
def test_a_slot_can_only_be_printed(file: str, misuse: str) -> None:
    theme = theme_with(**{file: THEME.files[file] + "\n{{ " + misuse + " }}"})
    with pytest.raises(TemplateError) as caught:
        compiled(theme=theme)
    error = caught.value
    assert "The slot “name” can only be printed" in error.what
    assert str(THEME.folder / file) == str(error.where.file)
    assert THEME.files[file].count("\n") + 2 == error.where.line
    assert "{{ slot(" in error.next


def test_loops_over_slots_fail_too() -> None:
    theme = theme_changed("<mj-body", "{% for x in slot('name') %}{% endfor %}<mj-body")
    with pytest.raises(TemplateError, match="can only be printed"):
        compiled(theme=theme)


def test_a_slot_of_an_unknown_field_is_refused() -> None:
    with pytest.raises(TemplateError, match="no field “nmae”") as caught:
        compiled(theme=theme_changed("slot('email')", "slot('nmae')"))
    assert "They have: name, email, unsubscribe_url, preferences_url, city." == caught.value.next


EMAIL = "{{ slot('email') }}"
CITY = "{{ slot('city') }}"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (EMAIL, "{% filter upper %}" + EMAIL + "{% endfilter %}", "what is left"),
        (EMAIL, "{% filter truncate(9) %}" + EMAIL + "{% endfilter %}", "does not arrive"),
        (EMAIL, f'<b style="color:{CITY}">x</b>', "style attribute"),
        (EMAIL, f'<a href="https://a.example/?c={CITY}">x</a>', "in an address"),
        (EMAIL, f"<!--[if mso]>{CITY}<![endif]-->", "comment for Outlook"),
        ("{% include 'css/head.css' %}", f".a {{ color: {CITY} }}", "style sheet"),
        ("{{ slot_url('unsubscribe_url') }}", "https://a.example/", "no link to unsubscribe"),
    ],
)
def test_a_slot_must_stand_where_a_value_is_safe(old: str, new: str, said: str) -> None:
    with pytest.raises(TemplateError) as caught:
        compiled(theme=theme_changed(old, new))
    assert said in str(caught.value)


def test_a_text_without_the_unsubscribe_link_is_refused() -> None:
    theme = theme_changed("{{ slot('unsubscribe_url') }}", "", file="mail.txt.j2")
    with pytest.raises(TemplateError, match="no link to unsubscribe") as caught:
        compiled(theme=theme)
    assert THEME.folder / "mail.txt.j2" == caught.value.problems[0].where.file


def test_what_looks_like_a_foreign_token_is_refused() -> None:
    issue = ISSUE.model_copy(update={"title": "Zq00000000x0001qZ"})
    with pytest.raises(TemplateError, match="Zq00000000x0001qZ"):
        compiled(issue)


def test_merge_fields_open_slots_in_every_part_and_all_else_is_escaped() -> None:
    issue = ISSUE.model_copy(
        update={
            "subject": "<{{ name | a & b }}>",
            "greeting": "<b> & {{ name | a & b }}",
            "introduction": "**{{ name | a & b }}** <i>",
        }
    )
    edition = compiled(issue)
    slots = {slot.token: slot for slot in edition.slots}
    nobody = dict.fromkeys(VALUES, "")
    assert "<a & b>" == bind(edition.subject, slots, nobody)
    html = bind(edition.html, slots, nobody)
    assert "&lt;b&gt; &amp; a &amp; b" in html
    assert '<strong><span dir="auto">a &amp; b</span></strong> &lt;i&gt;' in html
    text = bind(edition.text, slots, nobody)
    assert "<b> & a & b\n\n*a & b* <i>" in text
