"""The JSON Schema of an issue file, for editors that complete and check YAML.

Generated from the model; ``issues/issue.schema.json`` is the result, and a
test proves that it is up to date. To write it anew::

    python -c "from newsletter.issues.schema import *; write_schema(Path('issues'))"

Writes that one file.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from newsletter.model import Issue

SCHEMA_FILE = "issue.schema.json"
FIRST_LINE = f"# yaml-language-server: $schema={SCHEMA_FILE}"
"""The first line of an issue file; tells editors where the schema lies."""


def issue_schema() -> dict[str, Any]:
    """The schema (JSON Schema 2020-12) of what stands in an issue file."""
    schema = Issue.model_json_schema()
    # The id is the file's name and never stands in the file.
    del schema["properties"]["id"]
    schema["required"].remove("id")
    for part in (schema, *schema["$defs"].values()):
        for value in part["properties"].values():
            value.pop("title", None)
    return schema | {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Newsletter issue",
        "description": "One issue of the newsletter in one language.",
    }


def schema_text() -> str:
    """The schema as it stands in the file."""
    return json.dumps(issue_schema(), indent=2, ensure_ascii=False) + "\n"


def write_schema(folder: Path) -> Path:
    """Write the schema into a folder of issues, over an older one."""
    file = folder / SCHEMA_FILE
    file.write_text(schema_text(), encoding="utf-8")
    return file
