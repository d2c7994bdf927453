"""Real servers' replies, each judged by the real classifier, and the page that shows them."""

import pytest

from tests.transports.replies import PAGE, Row, judged, page, rows

ROWS = list(rows())


@pytest.mark.parametrize("row", ROWS, ids=[row.reply[:40] for row in ROWS])
def test_a_real_reply_is_judged_rightly(row: Row) -> None:
    assert row.judgement == judged(row.reply, row.stage)


def test_there_are_enough_of_them_and_none_comes_twice() -> None:
    assert len(ROWS) >= 120
    assert len(ROWS) == len({(row.server, row.reply, row.stage) for row in ROWS})


def test_replies_md_shows_them() -> None:
    assert page() == PAGE.read_text(encoding="utf-8"), "run: python -m tests.transports.replies"
