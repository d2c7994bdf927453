"""Tells which tests stand for which rows of the fault matrix, and how they ended.

``pytest -p tests.faults.plugin --faults-to FILE`` writes a list of JSON: for
each mark of each test that was run, or only collected, its family, name and
state, the test, and its outcome.
"""

import json
from pathlib import Path
from typing import Any

import pytest

_NAME = "fault"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--faults-to", type=Path, help="where the fault matrix's rows are written")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--faults-to"):
        config.pluginmanager.register(_Matrix(config), "fault-matrix")


class _Matrix:
    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._rows: list[dict[str, Any]] = []

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            marks = [_row(item, mark) for mark in item.iter_markers("fault")]
            # Properties travel with the reports, also from xdist's workers.
            item.user_properties.append((_NAME, marks))
            if self._config.option.collectonly:
                self._rows += [{**mark, "outcome": "collected"} for mark in marks]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or report.outcome != "passed":
            for name, marks in report.user_properties:
                if name == _NAME and isinstance(marks, list):
                    self._rows += [{**mark, "outcome": report.outcome} for mark in marks]

    def pytest_sessionfinish(self) -> None:
        if not hasattr(self._config, "workerinput"):
            Path(self._config.getoption("--faults-to")).write_text(json.dumps(self._rows))


def _row(item: pytest.Item, mark: pytest.Mark) -> dict[str, Any]:
    family, name = mark.args
    return {
        "family": family,
        "name": name,
        "state": mark.kwargs["state"],
        "test": item.nodeid.partition("[")[0],
    }
