"""``newsletter docs``, and the messages that lead to it."""

import ast
import re

import pytest

from tests.support.project import Project
from tests.support.tools import ROOT
from tests.test_architecture import modules, tree

PAGES = {page.stem for page in (ROOT / "docs").glob("*.md")} - {"README"}


def test_every_page_is_listed_with_its_title(project: Project) -> None:
    done = project.run("docs")
    assert 0 == done.returncode
    assert [re.sub(r" .*", "", line) for line in done.stdout.splitlines()] == sorted(PAGES)
    assert re.search(r"^issue-file +The issue file$", done.stdout, re.MULTILINE)


def test_a_page_is_shown_as_it_is(project: Project) -> None:
    done = project.run("docs", "keys")
    assert (ROOT / "docs" / "keys.md").read_text(encoding="utf-8") == done.stdout


@pytest.mark.parametrize("topic", ["nothing", "README", "../README", "decisions/0002-dependencies"])
def test_a_page_that_is_not_there_is_said(project: Project, topic: str) -> None:
    done = project.run("docs", topic)
    assert 2 == done.returncode
    assert f"no page “{topic}”" in done.stderr
    assert "“newsletter docs”" in done.stderr


def said() -> str:
    """All texts of the program but docstrings."""
    texts: list[str] = []
    for path in modules():
        docstrings = {
            node.value
            for node in ast.walk(tree(path))
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        }
        texts += [
            node.value
            for node in ast.walk(tree(path))
            if isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and node not in docstrings
        ]
    return "\n".join(texts)


def test_messages_lead_to_pages_that_every_installation_has() -> None:
    text = said()
    assert not re.findall(r"docs/[\w-]+\.md", text)
    named = set(re.findall(r"newsletter docs ([\w-]+)”", text))
    assert named
    assert named <= PAGES
