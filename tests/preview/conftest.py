import contextlib
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
    """A copy of the March 2017 newsletter that a test may change, in English alone."""
    copy = copied(tmp_path)
    for language in ("ar", "es", "fr"):
        copy.issue.with_name(f"2017-03.{language}.yaml").unlink()
    return copy


@pytest.fixture
def draft(sources: Sources) -> Iterator[Served]:
    """The preview of that copy, served for one test."""
    with serving(sources) as served:
        yield served


@pytest.fixture(scope="package")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The preview of another copy, served for all tests that change no file."""
    with serving(copied(tmp_path_factory.mktemp("served"))) as served:
        yield served


def copied(folder: Path) -> Sources:
    for name in ("newsletter.toml", "subscribers.example.csv"):
        shutil.copy(ROOT / name, folder)
    for name in ("issues", "templates"):
        shutil.copytree(ROOT / name, folder / name)
    return Sources(folder, folder / "issues" / "2017-03.yaml")


@contextlib.contextmanager
def serving(sources: Sources) -> Iterator[Served]:
    ready: queue.Queue[str] = queue.Queue()
    stop = threading.Event()
    thread = threading.Thread(
        target=serve_preview, args=(sources,), kwargs={"on_ready": ready.put, "stop": stop}
    )
    thread.start()
    try:
        yield Served(ready.get(timeout=60), sources, stop, thread)
    finally:
        stop.set()
        thread.join(timeout=20)
        assert not thread.is_alive()
