import pytest

from tests.archive.built import Archive, build, example


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """The archive of four issues, one of them half-written; nobody may change it."""
    project = example(tmp_path_factory.mktemp("archive") / "project")
    done = build(project, "--no-pdf")
    assert (0, "") == (done.returncode, done.stderr), done.stdout + done.stderr
    return Archive(project, project.folder / "archive", done.stdout)
