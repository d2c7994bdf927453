"""Rendering is a function: no network, no clock, no chance, the same bytes everywhere."""

import os
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from newsletter.model import Issue, Story
from newsletter.render.edition import CompileInput, Edition
from newsletter.render.pipeline import compile_edition
from newsletter.render.slots import TOKEN

from tests.render.samples import (
    ARABIC,
    ISSUE,
    SETTINGS,
    SOURCE,
    STORIES,
    THEME,
    compiled,
    material_of,
    page_of,
)
from tests.render.test_mjml import AWKWARD
from tests.support.tools import examples

ROOT = Path(__file__).parents[2]
PRINTS = (
    "from tests.render.samples import ARABIC, ISSUE, compiled; "
    "print(compiled().fingerprint, compiled(ARABIC).fingerprint)"
)
# Without the two characters that MJML cannot hold, and without links that lead nowhere.
LINES = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"], exclude_characters="\ufffe\uffff"),
    min_size=1,
    max_size=40,
).filter(lambda text: "](" not in text)


def test_two_processes_make_the_same_bytes() -> None:
    fingerprints = {
        subprocess.run(
            [sys.executable, "-c", PRINTS],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout.strip()
        for seed in ("1", "4711")
    }
    assert {f"{compiled().fingerprint} {compiled(ARABIC).fingerprint}"} == fingerprints


def test_rendering_twice_makes_the_same_edition() -> None:
    assert compiled() == compiled()


def test_rendering_opens_no_socket_file_or_process_and_asks_no_clock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compiled()  # imports and locale data come from disk once

    def refuse(*_: object, **__: object) -> NoReturn:
        raise AssertionError("rendering reached outside")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr("builtins.open", refuse)
    monkeypatch.setattr("io.open", refuse)
    monkeypatch.setattr(subprocess, "Popen", refuse)
    monkeypatch.setattr(time, "time", refuse)
    monkeypatch.setattr("random.random", refuse)
    monkeypatch.setattr(os, "urandom", refuse)
    edition = compiled()
    monkeypatch.undo()
    assert edition == compiled()


def test_settings_of_the_sending_do_not_change_the_edition() -> None:
    slower = SETTINGS.model_copy(
        update={"delivery": SETTINGS.delivery.model_copy(update={"connections": 9})}
    )
    elsewhere = replace(THEME, folder=Path("elsewhere"))
    assert compiled() == compile_edition(
        CompileInput(ISSUE, SOURCE, elsewhere, slower, material_of(ISSUE))
    )


def test_every_other_source_changes_the_tokens() -> None:
    other = replace(THEME, words={**THEME.words, "xx": {"a": "b"}})
    tokens = {
        TOKEN.findall(edition.html)[0]
        for edition in (
            compiled(),
            compiled(theme=other),
            compiled(ISSUE.model_copy(update={"id": "2017-04"})),
            compiled(ISSUE.model_copy(update={"title": "April"})),
        )
    }
    assert 4 == len(tokens)


def test_an_edition_comes_back_from_json() -> None:
    assert compiled() == Edition.from_json(compiled().to_json())


def visible(html: str) -> str:
    return " ".join("".join(page_of(html).itertext()).split())


@settings(max_examples=examples(60), deadline=None)
@given(LINES, LINES, LINES)
@example("{{ x }}", "{% if %}", "{# x #}")
@example("<!-- src:stories.9 -->", "<!--[if mso]>", "<![endif]-->")
@example("</mj-text>", "<mj-text>", "&lt;")
@example("]]>", "<![CDATA[", "<?xml?>")
@example("\\n", "\\u{a0}", "%s {0}")
def test_whatever_an_editor_writes_reaches_readers_as_it_is(
    headline: str, alt: str, blurb: str
) -> None:
    try:
        story = Story.model_validate(
            {
                "id": "a",
                "headline": headline,
                "blurb": f"x {blurb}",
                "image": {"file": "a.jpg", "alt": alt, "credit": alt},
            }
        )
    except ValueError:
        return
    issue: Issue = ISSUE.model_copy(update={"stories": (story,)})
    edition = compiled(issue)
    (picture,) = page_of(edition.html).iter("img")
    assert " ".join(story.name.split()) in visible(edition.html)
    assert story.image is not None
    assert story.image.alt == picture.get("alt")
    assert "".join(story.name.split()) in "".join(edition.text.split())


@pytest.mark.parametrize("text", AWKWARD)
def test_awkward_text_is_the_same_in_both_parts(text: str) -> None:
    story = STORIES[1].model_copy(update={"headline": text})
    edition = compiled(ISSUE.model_copy(update={"stories": (story,)}))
    assert " ".join(text.split()) in visible(edition.html)
    assert "".join(text.split()) in "".join(edition.text.split())
