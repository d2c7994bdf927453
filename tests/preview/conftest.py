import queue
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from newsletter.preview.build import Sources
from newsletter.preview.server import serve_preview

from tests.preview.served import Served
from tests.support.tools import ROOT


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    """A copy of the March 2017 newsletter that a test may change."""
    for name in ("newsletter.toml", "subscribers.example.csv"):
        shutil.copy(ROOT / name, tmp_path)
    for name in ("issues", "templates"):
        shutil.copytree(ROOT / name, tmp_path / name)
    return Sources(tmp_path, tmp_path / "issues" / "2017-03.yaml")


@pytest.fixture
def served(sources: Sources) -> Iterator[Served]:
    """The preview of that copy, served."""
    ready: queue.Queue[str] = queue.Queue()
    stop = threading.Event()
    thread = threading.Thread(
        target=serve_preview, args=(sources,), kwargs={"on_ready": ready.put, "stop": stop}
    )
    thread.start()
    try:
        yield Served(ready.get(timeout=20), sources, stop, thread)
    finally:
        stop.set()
        thread.join(timeout=20)
        assert not thread.is_alive()
