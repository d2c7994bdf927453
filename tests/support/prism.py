"""Prism with a vendor's own OpenAPI file; it answers 422 to what does not fit."""

import contextlib
import socket
import subprocess
import threading
from collections.abc import Iterator
from typing import IO

from tests.support.tools import npm_program, spec


@contextlib.contextmanager
def prism(file: str) -> Iterator[str]:
    """Prism's address. The test is skipped where Prism or the file is missing."""
    command, description = npm_program("prism"), spec(file)
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    arguments = [command, "mock", "--errors", "-h", "127.0.0.1", "-p", str(port), str(description)]
    started = threading.Event()

    def read(lines: IO[bytes]) -> None:
        for line in lines:
            if b"listening" in line:
                started.set()

    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        assert process.stdout is not None
        reader = threading.Thread(target=read, args=(process.stdout,), daemon=True)
        reader.start()
        try:
            assert started.wait(timeout=60), "Prism did not start"
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(timeout=20)
            reader.join(timeout=20)
