import re

from hypothesis import example, given
from hypothesis import strategies as st
from newsletter.render.wrap import _atoms, display_width, wrap

WORDS = st.text(
    st.one_of(
        st.sampled_from("ab é日本、。「」ี한글\u00a0\u202f\u200d\u0301()“”"),
        st.characters(exclude_categories=["Cs", "Cc"]),
    ),
    min_size=1,
    max_size=90,
)
URLS = st.from_regex(r"https://[a-z日é/]{1,90}", fullmatch=True)
TEXTS = st.lists(st.one_of(WORDS, URLS), max_size=25).map(" ".join)


def words(text: str) -> list[str]:
    return [word for word in re.split(r"[ \t\n]+", text) if word]


@given(TEXTS, st.integers(20, 80))
def test_no_line_is_too_wide_unless_it_cannot_be_broken(text: str, width: int) -> None:
    for line in wrap(text, width=width).split("\n"):
        assert display_width(line) <= width or len(list(_atoms(line))) == 1


@given(TEXTS, st.integers(20, 80))
def test_nothing_is_lost_or_added_but_line_breaks(text: str, width: int) -> None:
    wrapped = wrap(text, width=width)
    assert re.sub(r"[ \t\n]", "", text) == re.sub(r"[ \t\n]", "", wrapped)


@given(st.lists(st.text("abcéж.,-", min_size=1, max_size=20), max_size=60))
def test_words_of_scripts_with_spaces_stay_whole(some: list[str]) -> None:
    assert some == words(wrap(" ".join(some), width=40))


@given(TEXTS)
def test_wrapping_twice_changes_nothing(text: str) -> None:
    once = wrap(text, width=200)
    assert once == wrap(once, width=200) or "\n" in once


@given(st.lists(URLS, min_size=1, max_size=8))
@example(["https://例え.example/日本語/" + "語" * 60])
def test_an_address_is_never_broken(urls: list[str]) -> None:
    assert urls == words(wrap(" ".join(urls), width=30))


def test_no_break_spaces_hold() -> None:
    for space in "\u00a0\u202f":
        text = f"aaaa bb{space}€ 20{space}000"
        assert [["aaaa"], [f"bb{space}€"], [f"20{space}000"]] == [
            [line] for line in wrap(text, width=7).split("\n")
        ]


def test_wide_characters_count_two_and_combining_ones_none() -> None:
    assert 4 == display_width("日本")
    assert 1 == display_width("e\u0301")
    assert 5 == display_width("می\u200cروم")
    assert 0 == display_width("\u200d\u2060")


def test_chinese_and_japanese_break_between_characters_but_not_before_a_full_stop() -> None:
    assert "今日は天\n気がい\nい。" == wrap("今日は天気がいい。", width=8)
    assert "彼は言う\n「はい」" == wrap("彼は言う「はい」", width=10)
    assert "12345日\n本\u00a0語" == wrap("12345日本\u00a0語", width=7)


def test_korean_breaks_at_its_spaces_only() -> None:
    assert "한국어\n문장입니다" == wrap("한국어 문장입니다", width=12)


def test_further_lines_are_indented() -> None:
    assert "- aaa\n  bbb\n  ccc" == wrap("aaa bbb ccc", width=6, first="- ", rest="  ")


def test_a_token_counts_as_what_it_stands_for() -> None:
    def measure(text: str) -> int:
        return display_width(text.replace("TOKENTOKENTOKEN", "me"))

    assert "Dear TOKENTOKENTOKEN,\nhello" == wrap(
        "Dear TOKENTOKENTOKEN, hello", width=9, measure=measure
    )
