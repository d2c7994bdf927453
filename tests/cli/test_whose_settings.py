"""Commands in newsletter.toml are run for a send alone, behind the yes, and for its owner alone."""

import os
from pathlib import Path

import pytest

from tests.cli.support import at_a_terminal, outbox, stopped, went_well
from tests.support.project import Project

ANOTHER = 12345
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")

COMMANDS = """
[smtp]
host = "127.0.0.1"
port = 9
security = "none"
username = "u"
password = { command = ["touch", "ran-for-a-password"] }

[dkim]
domain = "defenders.example"
selector = "s"
private_key = { command = ["touch", "ran-for-a-key"] }
"""


def ran(project: Project) -> set[str]:
    return {path.name for path in project.folder.glob("ran-*")}


@pytest.mark.fault("Input", "newsletter.toml with commands, and no yes",
                   state="nothing is run; nothing is frozen")  # fmt: skip
def test_no_command_of_the_settings_runs_before_somebody_says_yes(project: Project) -> None:
    project.settings('transport = "smtp"\n' + COMMANDS)
    went_well(project.run("render", "2017-04", "--out", "build"), "not signed (DKIM)")
    went_well(project.run("check", "2017-04"))
    went_well(project.run("send", "2017-04", "--dry-run"))
    code, said = at_a_terminal(project, "send", "2017-04", answer=b"n\n")
    assert (0, True) == (code, "Nothing was sent." in said)
    assert set() == ran(project)
    # Behind it, and before the freeze: a password that is missing must not freeze anything.
    assert 2 == project.run("send", "2017-04", "--yes").returncode
    assert set() != ran(project)
    assert "has not been sent from here" in project.run("status", "2017-04").stderr


@as_root
@pytest.mark.parametrize("what", ["newsletter.toml", "."])
@pytest.mark.fault("Input", "newsletter.toml of another user, here or further up",
                   state="refused; nothing of it is read or run")  # fmt: skip
def test_settings_of_another_user_are_refused_as_git_does(project: Project, what: str) -> None:
    below = project.folder / "some" / "folder"
    below.mkdir(parents=True)
    os.chown(project.folder / what, ANOTHER, -1)
    said = ("belongs to another user (number 12345)", "NEWSLETTER_TRUST")
    stopped(project.run("send", "2017-04", "--yes"), 2, *said)
    project.folder, folder = below, project.folder
    stopped(project.run("check", "2017-04"), 2, *said)
    project.folder = folder
    assert [] == outbox(project)

    def at(**environment: str) -> None:
        env = project.environment(HOME=str(folder / "home"), **environment)
        went_well(project.run("check", "2017-04", env=env))

    at(SUDO_UID=str(ANOTHER))
    at(NEWSLETTER_TRUST=f"/nowhere{os.pathsep}{folder}")
    at(NEWSLETTER_TRUST="*")
    other = project.environment(SUDO_UID="54321", NEWSLETTER_TRUST="/nowhere")
    stopped(project.run("check", "2017-04", env=other), 2, *said)


@as_root
def test_a_link_to_settings_is_as_good_as_who_made_it_and_what_it_leads_to(
    project: Project, tmp_path: Path
) -> None:
    toml = project.folder / "newsletter.toml"
    toml.rename(tmp_path / "elsewhere.toml")
    toml.symlink_to(tmp_path / "elsewhere.toml")
    went_well(project.run("check", "2017-04"))
    os.chown(toml, ANOTHER, -1, follow_symlinks=False)
    stopped(project.run("check", "2017-04"), 2, "belongs to another user")
    os.chown(toml, 0, -1, follow_symlinks=False)
    os.chown(tmp_path / "elsewhere.toml", ANOTHER, -1)
    stopped(project.run("check", "2017-04"), 2, "belongs to another user")


@pytest.mark.parametrize("what", ["newsletter.toml", "."])
def test_settings_that_everybody_can_change_are_refused(project: Project, what: str) -> None:
    (project.folder / what).chmod(0o777)
    stopped(
        project.run("check", "2017-04"), 2, "Every user of this machine can change", "chmod o-w"
    )
    (project.folder / what).chmod(0o1775)
    went_well(project.run("check", "2017-04"))
