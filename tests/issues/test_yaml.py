"""YAML as a comms officer's editor, a hurry or an enemy may write it."""

from pathlib import Path

import pytest

from tests.issues.support import GOOD, problems

QUOTE = "Put the whole text in double quotes."

BROKEN = {
    "empty file": ("", ": The file is empty. “newsletter new” writes an issue to start from."),
    "comments alone": (
        "# nothing\n",
        ": The file is empty. “newsletter new” writes an issue to start from.",
    ),
    "list at the top": (
        "\n- a\n- b\n",
        "2:1: The file holds a list where an issue starts with keys. "
        "Start with keys such as title:, date: and stories:.",
    ),
    "text at the top": (
        "Hello\n",
        "1:1: The file holds a single text where an issue starts with keys. "
        "Start with keys such as title:, date: and stories:.",
    ),
    "tab": (
        "title: x\nstories:\n\t- id: a\n",
        "3:1: This line is indented with a tab. Indent with spaces; YAML refuses tabs.",
    ),
    "colon in a text": (
        "title: March: the news\n",
        "1:13: A colon followed by a space stands inside a text. "
        f"{QUOTE} If it is meant to be a key, check the indentation.",
    ),
    "merge field without quotes": (
        "title: x\ngreeting: {{ name | friend }}, hello\n",
        "2:30: A text that starts with {{ must stand in quotes. "
        'Put the whole text in double quotes, e.g. "{{ name | friend }}, good news".',
    ),
    "star": (
        "title: *news*\n",
        "1:13: A text that starts with *, & or ! must stand in quotes. " + QUOTE,
    ),
    "unknown alias": (
        "title: *news\n",
        "1:8: A text that starts with * must stand in quotes. " + QUOTE,
    ),
    "at sign": (
        "title: @news\n",
        "1:8: A text that starts with @, %, ` or another special character must stand in quotes. "
        + QUOTE,
    ),
    "open quote": (
        'title: "news\nlanguage: en\n',
        "3:1: The text in quotes that starts before this line is never closed. "
        "Close it with the same quotation mark.",
    ),
    "words behind a quote": (
        'title: "News" for all\n',
        "1:15: The file cannot be read from here on. Check that this line is indented like its "
        "neighbours. A text that starts with a quotation mark, { or [ must be wholly in quotes.",
    ),
    "backslash": (
        'title: "C:\\news\\x"\n',
        "1:18: A backslash in a text in double quotes stands for something else. "
        "Write it twice, or put the text in single quotes.",
    ),
    "second document": (
        "title: x\n---\ntitle: y\n",
        "2:1: A second document starts here. Keep one issue in one file and delete the line ---.",
    ),
    "NUL": (
        "title: x\nlanguage: e\0n\n",
        "2:12: There is an invisible control character here: U+0000. Delete it.",
    ),
    "character that does not exist": (
        'title: "\\UFFFFFFFF"\n',
        ": A text in double quotes has an escape for a character that does not exist. "
        "Search for \\U and write the character itself.",
    ),
    "deep nesting": (
        "[" * 10_000,
        "1:20: The file is nested too deeply here. Check the brackets; an issue needs five levels.",
    ),
}


@pytest.mark.parametrize(("content", "expected"), BROKEN.values(), ids=BROKEN.keys())
def test_unreadable_yaml_is_explained_at_its_place(
    tmp_path: Path, content: str, expected: str
) -> None:
    assert problems(tmp_path, content) == [expected]


def test_a_file_that_is_not_utf8_names_the_place(tmp_path: Path) -> None:
    latin = GOOD.replace("A harbour", "Hafen für alle").encode("latin-1")

    assert problems(tmp_path, latin) == ["13:19: The file is not UTF-8. Save it as UTF-8."]
    assert problems(tmp_path, GOOD.encode("utf-16")) == [": The file is UTF-16. Save it as UTF-8."]


def test_aliases_that_multiply_are_refused(tmp_path: Path) -> None:
    laughs = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{key}: &{key} [{', '.join([f'*{before}'] * 10)}]\n"
        for before, key in zip("abcdefgh", "bcdefghi", strict=True)
    )

    [problem] = problems(tmp_path, laughs)

    assert "The file holds too many values, or aliases that multiply them." in problem


def test_an_alias_of_itself_is_refused(tmp_path: Path) -> None:
    [problem] = problems(tmp_path, "title: &a [*a]\n")

    assert "The file holds too many values, or aliases that multiply them." in problem


def test_a_huge_file_is_refused_unread(tmp_path: Path) -> None:
    [problem] = problems(tmp_path, "# " + "x" * 500_000)

    assert "The file is too large for an issue." in problem


def test_keys_in_brackets_are_told_and_the_rest_is_read(tmp_path: Path) -> None:
    told = problems(tmp_path, GOOD.replace("title: March 2017", "{a: b}: c"))

    assert told[0] == (
        "2:1: A key must be a word, not something in brackets. "
        "Put a text that starts with { or [ in double quotes."
    )
    assert [line.partition(".")[0] for line in told[1:]] == ["2:1: The issue has no “title”"]


def test_a_text_that_aliases_multiply_is_refused(tmp_path: Path) -> None:
    text = "greeting: &a " + "a" * 100_000 + "\nposts:\n" + "- *a\n" * 100
    (problem,) = problems(tmp_path, text)
    assert "aliases that multiply them" in problem
