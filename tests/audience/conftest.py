from pathlib import Path

import pytest

from tests.support.project import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Three readers, one short issue 2017-04, and the mailbox that sends nothing."""
    return Project(tmp_path / "project")
