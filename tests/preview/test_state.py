"""What is shown when files change, and when they break."""

from typing import cast

from newsletter.errors import IssueError
from newsletter.preview.build import Preview
from newsletter.preview.state import PreviewState

GOOD = cast(Preview, object())


class Files:
    """A build that does what the test says, over files in a state that it says."""

    def __init__(self) -> None:
        self.state = 1
        self.built = 0
        self.error: Exception | None = None

    def build(self) -> Preview:
        self.built += 1
        if self.error:
            raise self.error
        return GOOD

    def look(self) -> object:
        return self.state


def test_it_builds_only_when_a_file_changed() -> None:
    files = Files()
    state = PreviewState(files.build, files.look)
    assert not state.refresh()
    files.state = 2
    assert state.refresh()
    assert (2, 2) == (files.built, state.shown.version)


def test_an_error_keeps_the_last_good_build() -> None:
    files = Files()
    state = PreviewState(files.build, files.look)
    files.state, files.error = 2, IssueError("It is broken.")
    state.refresh()
    assert state.shown.preview is GOOD
    assert files.error is state.shown.error


def test_a_mended_file_takes_the_error_away() -> None:
    files = Files()
    files.error = IssueError("It is broken.")
    state = PreviewState(files.build, files.look)
    assert state.shown.preview is None
    files.state, files.error = 2, None
    state.refresh()
    assert state.shown.error is None
    assert state.shown.preview is GOOD


def test_a_fault_of_the_tool_is_shown_and_does_not_end_the_watching() -> None:
    files = Files()
    state = PreviewState(files.build, files.look)
    files.state, files.error = 2, ZeroDivisionError("division by zero")
    state.refresh()
    assert "ZeroDivisionError" in str(state.shown.error)
    files.state, files.error = 3, None
    state.refresh()
    assert state.shown.error is None


def test_a_change_while_building_is_seen_the_next_time() -> None:
    files = Files()

    def build() -> Preview:
        files.state = 2
        return files.build()

    state = PreviewState(build, files.look)
    assert state.refresh()
    assert not state.refresh()
