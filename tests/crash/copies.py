"""Two copies that fire in the same second, many times: ``python -m tests.crash.copies``.

Each time exactly one must complete and the other be refused; the server that
took the mail says who got it.
"""

import argparse
import random
import shutil
import sqlite3
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.cli.copies.support import fired_together
from tests.support.project import Project, smtp_delivery
from tests.support.smtp_server import SmtpServer

READERS = 40


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--copies", type=int, default=2)
    arguments = parser.parse_args()
    codes: Counter[tuple[int, ...]] = Counter()
    doubled = missing = 0
    for _ in range(arguments.times):
        with tempfile.TemporaryDirectory() as folder, SmtpServer() as server:
            done = _fire(Path(folder), server, copies=arguments.copies)
            got = server.copies()
        codes[done] += 1
        doubled += sum(number > 1 for number in got.values())
        missing += READERS - len(got)
    for ended, number in sorted(codes.items()):
        print(f"exit codes {ended}: {number} times")
    print(f"{arguments.times} times: {doubled} doubled, {missing} missing")
    right = (0, *[5] * (arguments.copies - 1))
    return 0 if (doubled, missing, set(codes)) == (0, 0, {right}) else 1


def _fire(folder: Path, server: SmtpServer, *, copies: int) -> tuple[int, ...]:
    original = Project(folder / "here", delivery=smtp_delivery(server.port), readers=READERS)
    original.run("send", "2017-04", "--yes", "--at", "2028-01-01 09:00", "--scheduler")
    with sqlite3.connect(original.folder / "newsletter.db") as database:
        database.execute("UPDATE control SET not_before = 0")
    projects = [original]
    for number in range(1, copies):
        copy = Project.__new__(Project)
        copy.folder = folder / f"copy {number}"
        copy.home_folder = original.home
        shutil.copytree(original.folder, copy.folder, symlinks=True)
        projects.append(copy)
    random.shuffle(projects)
    return tuple(sorted(each.returncode for each in fired_together(*projects)))


if __name__ == "__main__":
    sys.exit(main())
