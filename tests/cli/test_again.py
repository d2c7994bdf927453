"""“send --again”: a further copy for everybody, in as many parts as it takes."""

from collections import Counter

import pytest

from tests.cli.support import mails, went_well
from tests.support.project import Project


def copies(project: Project) -> list[int]:
    counted = Counter(str(mail["To"]) for mail in mails(project))
    return sorted(counted.values())


@pytest.mark.fault("Input", "send --again --limit, run again", state="the round goes on; nobody "
                   "gets a third copy")  # fmt: skip
def test_a_round_in_parts_gives_everybody_one_more_copy_and_nobody_a_third(
    project: Project,
) -> None:
    went_well(project.run("send", "2017-04", "--yes"))
    again = ("send", "2017-04", "--yes", "--again")
    went_well(project.run(*again, "--limit", "1"), "in a new round (round 2)")
    assert [1, 1, 2] == copies(project)
    went_well(project.run(*again, "--dry-run", "--limit", "1"), "continues round 2")
    went_well(project.run(*again, "--limit", "1"), "continues round 2")
    assert [1, 2, 2] == copies(project)
    went_well(project.run(*again), "continues round 2")
    assert [2, 2, 2] == copies(project)
    went_well(project.run(*again), "in a new round (round 3)")
    assert [3, 3, 3] == copies(project)


def test_who_joined_meanwhile_is_part_of_the_round(project: Project) -> None:
    went_well(project.run("send", "2017-04", "--yes"))
    went_well(project.run("send", "2017-04", "--yes", "--again"))
    project.list_of(4)
    went_well(project.run("send", "2017-04", "--yes", "--again"), "continues round 2")
    assert [1, 2, 2, 2] == copies(project)


def test_a_first_round_that_was_limited_is_gone_on_with_by_a_plain_send(project: Project) -> None:
    went_well(project.run("send", "2017-04", "--yes", "--limit", "1"))
    went_well(project.run("send", "2017-04", "--yes", "--again"), "in a new round (round 2)")
    assert [1, 1, 2] == copies(project)
