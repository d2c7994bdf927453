from pathlib import Path

import pytest
from newsletter.errors import IssueError
from newsletter.issues.loader import load_issue

from tests.issues.support import GOOD, load, problems, write


def with_subject(text: str) -> str:
    return GOOD.replace("subject: News from defenders", f"subject: '{text}'")


def test_merge_fields_may_stand_in_the_four_places(tmp_path: Path) -> None:
    field = "{{ name | dear friend }} {{email}}"
    content = (
        with_subject(field)
        .replace("preheader: A", f"preheader: '{field} A")
        .replace("in Hamburg", "in Hamburg'")
        + f"greeting: '{field}'\nintroduction: '{field}'\n"
    )

    assert load(tmp_path, content).issue.subject == field


def test_further_columns_of_the_list_may_be_used_where_settings_name_them(tmp_path: Path) -> None:
    path = write(tmp_path, with_subject("{{ city | your town }}"))

    assert load_issue(path, fields=["city"]).issue.subject == "{{ city | your town }}"
    with pytest.raises(IssueError, match="The list has no field “city”"):
        load_issue(path)


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        (
            "Hi {{ nme | x }}",
            "5:14: The list has no field “nme”. Did you mean “name”? "
            "Further columns are named in newsletter.toml under audience.fields.",
        ),
        (
            "Hi {{ name }}",
            "5:14: The merge field “name” has no fallback. "
            "Write the text for readers without one: {{ name | friend }}.",
        ),
        (
            "Hi {{ name | }}",
            "5:14: The merge field “name” has no fallback. "
            "Write the text for readers without one: {{ name | friend }}.",
        ),
        (
            "{{ email }} {{ Name | x }}",
            "5:23: “{{ Name | x }}” is no merge field. Write it like {{ name | friend }}.",
        ),
        (
            "Hi {{ name | x",
            "5:14: “{{ name | x” is no merge field. Write it like {{ name | friend }}.",
        ),
        (
            "{{ email }} }} Hi",
            "5:23: “}}” is no merge field. Write it like {{ name | friend }}.",
        ),
    ],
)
def test_a_wrong_merge_field_is_told_at_its_place(
    tmp_path: Path, subject: str, expected: str
) -> None:
    assert problems(tmp_path, with_subject(subject)) == [expected]


def test_merge_fields_elsewhere_are_refused_where_they_stand(tmp_path: Path) -> None:
    content = GOOD.replace(
        "blurb: Nur Nobi Dulal has arrived.", "blurb: >-\n      First line,\n      {{ name | x }}"
    )

    assert problems(tmp_path, content) == [
        "12:7, story “A year of safety”: Merge fields are not possible here. "
        "They may stand in subject, preheader, greeting and introduction."
    ]
