from collections.abc import Iterator

import pytest

from tests.crash.rounds import Job


@pytest.fixture(scope="session")
def job() -> Iterator[Job]:
    """The program, imported once for all tests of this folder."""
    with Job() as shared:
        yield shared
