"""What the tests of SMTP start with."""

from collections.abc import Iterator

import pytest

from tests.support.smtp_server import SmtpServer
from tests.transports.smtp_harness import PLAIN, SmtpHarness


@pytest.fixture(params=["pipelining", "one by one"])
def relay(request: pytest.FixtureRequest) -> Iterator[SmtpHarness]:
    """A server that behaves until it is told otherwise, with PIPELINING and without."""
    with SmtpServer() as server:
        if request.param == "one by one":
            server.extensions = PLAIN
        yield SmtpHarness(server)
