import json
import re
from pathlib import Path

import pytest
import yaml
from newsletter.issues.loader import parse_issue
from newsletter.issues.problems import PARTS
from newsletter.issues.schema import FIRST_LINE, issue_schema, schema_text
from newsletter.model import Issue, Part

from tests.support.tools import ROOT

DOC = (ROOT / "docs" / "issue-file.md").read_text(encoding="utf-8")


def test_the_schema_file_is_up_to_date() -> None:
    written = (ROOT / "issues" / "issue.schema.json").read_text(encoding="utf-8")

    assert written == schema_text(), "write it anew as newsletter/issues/schema.py tells"


def test_the_schema_knows_what_stands_in_the_march_issue_and_not_the_id() -> None:
    schema = issue_schema()
    data = yaml.load(
        (ROOT / "issues" / "2017-03.yaml").read_text(encoding="utf-8"), yaml.BaseLoader
    )

    assert set(data) <= set(schema["properties"])
    assert set(schema["required"]) <= set(data)
    assert "id" not in schema["properties"]
    assert schema["additionalProperties"] is False
    assert json.loads(schema_text()) == schema


@pytest.mark.parametrize("path", sorted((ROOT / "issues").glob("*.yaml")), ids=lambda p: p.name)
def test_each_issue_file_names_the_schema_first(path: Path) -> None:
    assert path.read_text(encoding="utf-8").splitlines()[0] == FIRST_LINE


def test_every_part_of_the_model_has_a_name_in_errors() -> None:
    assert {part for part, _ in PARTS.values()} | {Issue} == set(Part.__subclasses__())


def keys_documented(heading: str) -> set[str]:
    """The keys in the table below a heading of docs/issue-file.md."""
    section = re.split(r"^#+ ", DOC.split(f"\n{heading}\n")[1], maxsplit=1, flags=re.MULTILINE)[0]
    return set(re.findall(r"^\| `(\w+)` \|", section, flags=re.MULTILINE))


HEADINGS = {
    "stories": "## A story",
    "sections": "### `sections`",
    "posts": "## `posts`",
    "body": "### `body`",
    "closing": "### `body`",
    "facts": "### `facts`",
    "links": "### `links`",
    "download": "### `download`",
    "image": "### `image`",
    "quote": "### `quote`",
    "background": "### `background`",
}


@pytest.mark.parametrize("key", PARTS)
def test_every_key_of_a_part_is_documented(key: str) -> None:
    assert keys_documented(HEADINGS[key]) == set(PARTS[key][0].model_fields)


def test_every_key_of_the_issue_is_documented() -> None:
    assert keys_documented("## The issue") == set(Issue.model_fields) - {"id"}


def test_the_example_in_the_documentation_is_a_good_issue(tmp_path: Path) -> None:
    example = re.search(r"```yaml\n(# yaml-language.*?)```", DOC, flags=re.DOTALL)

    assert example is not None
    assert parse_issue(example[1], tmp_path / "x.yaml").issue.stories[0].id == "hamburg"
