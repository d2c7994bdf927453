"""Bounce reports and events out of files: whatever is among them, the others are read."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from newsletter.feedback import bounces, files
from newsletter.feedback.event import DeliveryEvent, Kind
from newsletter.feedback.files import Skipped, read_news

from tests.feedback.test_bounces import report, status
from tests.feedback.test_provider_events import sent

NOW = datetime(2017, 4, 1, 9, 0, tzinfo=UTC)


def read(*bounces: Path, events: tuple[Path, ...] = ()) -> tuple[list[DeliveryEvent], Skipped]:
    skipped = Skipped()
    return list(read_news(bounces, events, skipped=skipped)), skipped


def names(skipped: Skipped) -> set[str]:
    problems = [*skipped.named, *skipped.unusable]
    assert len(problems) == len(set(problems))
    return {Path(str(problem.where.file)).name for problem in problems}


@pytest.mark.fault(
    "Input",
    "a pipe, device, folder, broken link or link to itself among bounce mails or events",
    state="skipped by name and told, without waiting; the others are read",
)
def test_what_is_no_file_is_skipped_by_name(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    folder.mkdir()
    (folder / "1").write_bytes(report(status("failed", "5.1.1")))
    (folder / "9").write_bytes(report(status("failed", "5.1.1")))
    os.mkfifo(folder / "pipe")
    (folder / "folder").mkdir()
    (folder / "device").symlink_to("/dev/zero")
    (folder / "circle").symlink_to("circle")
    (folder / "nowhere").symlink_to("nobody")
    news, skipped = read(tmp_path)
    assert [Kind.BOUNCED, Kind.BOUNCED] == [event.kind for event in news]
    assert {"pipe", "folder", "device", "circle", "nowhere"} == names(skipped)
    assert 5 == skipped.count
    assert not skipped.unusable  # nobody named them


def test_a_path_that_was_named_and_gives_nothing_is_told_apart(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "page.html").write_text("<html>")
    (tmp_path / "good.json").write_text(sent())
    (tmp_path / "half.json").write_text(f"<html>\n{sent()}")
    paths = [tmp_path / name for name in ("pipe", "page.html", "none", "good.json", "half.json")]
    news, skipped = read(tmp_path / "gone", events=tuple(paths))
    assert 2 == len(news)
    assert {"pipe", "page.html", "none", "half.json", "gone"} == names(skipped)
    assert 4 == len(skipped.unusable)


def test_a_mail_larger_than_any_report_is_read_as_far_as_a_report_goes(tmp_path: Path) -> None:
    mail = tmp_path / "mail"
    mail.write_bytes(report(status("failed", "5.1.1")))
    with mail.open("ab") as file:
        file.truncate(10_000_000_000)  # a hole: no room on the disk
    news, skipped = read(mail)
    assert 1 == len(news)
    assert 0 == skipped.count


def test_a_thousand_bad_ones_are_counted_and_the_first_named(tmp_path: Path) -> None:
    for number in range(1000):
        (tmp_path / str(number)).symlink_to("nobody")
    _, skipped = read(tmp_path)
    assert 1000 == skipped.count
    assert 20 == len(skipped.named)


def test_a_fault_of_the_reader_itself_skips_one_mail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_bounce(data: bytes) -> tuple[DeliveryEvent, ...]:
        return original(data) if b"5.1.1" in data else 1 / 0  # type: ignore[return-value] # the fault

    original = bounces.read_bounce
    monkeypatch.setattr(files, "read_bounce", read_bounce)
    (tmp_path / "1").write_bytes(b"poison")
    (tmp_path / "2").write_bytes(report(status("failed", "5.1.1")))
    news, skipped = read(tmp_path)
    assert 1 == len(news)
    assert {"1"} == names(skipped)
