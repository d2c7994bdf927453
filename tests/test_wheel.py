"""What is published: a wheel, installed into a clean place as pipx does, sends an issue."""

import importlib.metadata
import os
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

import pytest
from newsletter import __version__

from tests.support.tools import ROOT


def run(*command: str | Path, cwd: Path) -> str:
    """The output of a program that knows nothing of this checkout."""
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**clean, "HOME": str(cwd), "XDG_STATE_HOME": "", "COLUMNS": "200"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert 0 == done.returncode, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=ROOT)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path) -> Path:
    """The programs of an environment that holds the wheel.

    Its dependencies are those of the lock: they are looked up where the tests have them, so
    that no network is needed. This checkout is not among them.
    """
    folder = wheel.parent / "environment"
    venv.create(folder)
    programs = folder / ("Scripts" if os.name == "nt" else "bin")
    run(
        sys.executable, "-m", "pip", "--python", programs / "python", "install", "--quiet",
        "--no-index", "--no-deps", "--disable-pip-version-check", wheel,
        cwd=wheel.parent,
    )  # fmt: skip
    ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
    own = Path(run(programs / "python", "-c", ask, cwd=folder).strip())
    theirs = {Path(str(importlib.metadata.distribution("typer").locate_file("")))}
    (own / "locked.pth").write_text("".join(f"{path}\n" for path in theirs))
    where = run(programs / "python", "-c", "import newsletter; print(newsletter)", cwd=folder)
    assert str(own) in where
    return programs


def test_an_installed_wheel_starts_checks_and_sends(installed: Path, tmp_path: Path) -> None:
    program = installed / "newsletter"
    run(program, "init", "our-newsletter", cwd=tmp_path)
    project = tmp_path / "our-newsletter"
    (issue,) = (project / "issues").glob("*.yaml")
    run(program, "check", issue.stem, cwd=project)
    sent = run(program, "send", issue.stem, "--yes", cwd=project)
    assert "The numbers add up" in sent
    assert 13 == len(list((project / "outbox" / "new").iterdir()))


def test_an_installed_wheel_has_every_page_of_the_documentation(
    installed: Path, tmp_path: Path
) -> None:
    listed = run(installed / "newsletter", "docs", cwd=tmp_path)
    pages = {page.stem for page in (ROOT / "docs").glob("*.md")} - {"README"}
    assert pages == {line.split()[0] for line in listed.splitlines()}
    run(installed / "newsletter", "docs", "commands", cwd=tmp_path)


def test_the_version_stands_in_one_place(wheel: Path, installed: Path, tmp_path: Path) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert "version" not in project
    assert wheel.name.startswith(f"newsletter-{__version__}-")
    said = run(installed / "newsletter", "--version", cwd=tmp_path)
    assert f"newsletter {__version__}\n" == said
