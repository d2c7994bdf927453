from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.copies.support import one_a_connection
from tests.support.project import Project
from tests.support.smtp_server import SmtpServer


@pytest.fixture
def server() -> Iterator[SmtpServer]:
    with SmtpServer() as server:
        yield server


@pytest.fixture
def project(tmp_path: Path, server: SmtpServer) -> Project:
    return Project(tmp_path / "here", delivery=one_a_connection(server))
