"""Random orders of everything: ``python -m tests.crash.histories --worlds 100 --seed 7``.

A world has folders and state folders of one list, and a relay. By chance it is
sent, stopped half-way, left in doubt, copied, cleaned, backed up, restored, adopted,
corrected, and people leave. The relay's own list of what it took is the judge:
nobody gets an issue from a folder, or by a state folder, that knew that they have it,
and nobody who had left there is mailed.
"""

import argparse
import random
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from tests.support.project import SHORT_ISSUE, Project, smtp_delivery
from tests.support.smtp_server import CUT, SmtpServer, after, once

ISSUES = ("2017-04", "2017-05")
STEPS = 25
MOST_FOLDERS = 4
READERS = (*(f"reader{number}@readers.example" for number in range(5)), "Reader1@readers.example")
"""Two of them differ in the case of a letter, and are two."""


class Broken(AssertionError):
    """The promise did not hold."""


class World:
    """Some folders and state folders, what each of them has learned, and the relay."""

    def __init__(self, root: Path, server: SmtpServer, *, homes: int, seed: int) -> None:
        self.chance = random.Random(seed)
        self.root = root
        self.server = server
        self.homes = [root / f"home{number}" for number in range(homes)]
        self.has: dict[Path, set[tuple[str, str]]] = defaultdict(set)
        self.left: dict[Path, set[str]] = defaultdict(set)
        self.folders: list[Project] = []
        self.backups: list[tuple[Path, Path]] = []
        self.told: list[str] = []
        self.fresh()

    def run(self, project: Project, home: Path, *arguments: str) -> int:
        """A command; whatever leaves meanwhile is held against what was known."""
        project.home_folder = home
        before = len(self.server.accepted)
        done = project.run(*arguments, hurried=True)
        said = done.stderr.partition("\n")[0]
        call = f"{project.folder.name}, {home.name}: {' '.join(arguments)}"
        self.told.append(f"{call} → {int(done.returncode)} {said}")
        for mail in self.server.accepted[before:]:
            issue = ISSUES[b"Subject: One story in May" in mail.content]
            for place in (project.folder, home):
                if (issue, mail.recipient) in self.has[place]:
                    raise Broken(f"{mail.recipient} has {issue} twice, and {place.name} knew")
                if mail.recipient.lower() in self.left[place]:
                    raise Broken(f"{mail.recipient} had left, and {place.name} knew")
            for place in (project.folder, home):
                self.has[place].add((issue, mail.recipient))
        return int(done.returncode)

    def learns(self, place: Path, *others: Path) -> None:
        """A place knows from now on what the others know."""
        for other in others:
            self.has[place] |= self.has[other]
            self.left[place] |= self.left[other]

    def step(self) -> None:
        """Something happens."""
        kinds: dict[Callable[[Project, Path], None], float] = {
            self.send: 3, self.send_some: 4, self.stop_half_way: 4, self.leave_in_doubt: 3,
            self.resume: 4, self.suppress: 2, self.copy: 3, self.clean: 2, self.take_ledger: 2,
            self.back_up: 2, self.restore: 2, self.adopt: 9, self.pause: 1, self.correct: 1,
            self.change_list: 2, self.resolve: 2, self.start_anew: 1,
        }  # fmt: skip
        (kind,) = self.chance.choices(list(kinds), list(kinds.values()))
        kind(self.chance.choice(self.folders), self.chance.choice(self.homes))

    def issue(self) -> str:
        """One of the two issues."""
        return self.chance.choice(ISSUES)

    def send(self, project: Project, home: Path) -> None:
        """All of an issue."""
        self.run(project, home, "send", self.issue(), "--yes")

    def send_some(self, project: Project, home: Path) -> None:
        """An issue to some."""
        some = str(self.chance.randint(1, 3))
        self.run(project, home, "send", self.issue(), "--yes", "--limit", some)

    def stop_half_way(self, project: Project, home: Path) -> None:
        """The relay takes a few and then refuses the sender."""
        self.server.behaviours["MAIL"] = after(self.chance.randint(0, 2), b"550 5.7.1 not allowed")
        self.send(project, home)
        self.server.behaviours.clear()

    def leave_in_doubt(self, project: Project, home: Path) -> None:
        """The relay hangs up after a dot."""
        self.server.behaviours["dot"] = once(CUT)
        self.send(project, home)
        self.server.behaviours.clear()

    def resume(self, project: Project, home: Path) -> None:
        """What waits goes out."""
        self.run(project, home, "resume", self.issue(), "--yes", "--as-frozen")

    def resolve(self, project: Project, home: Path) -> None:
        """Whoever is in doubt has it."""
        self.run(project, home, "resolve", self.issue(), "--all", "--accepted")

    def pause(self, project: Project, home: Path) -> None:
        """An issue is held."""
        self.run(project, home, "pause", self.issue())

    def suppress(self, project: Project, home: Path) -> None:
        """Somebody leaves."""
        reader = self.chance.choice(READERS)
        if self.run(project, home, "suppress", "add", reader) == 0:
            for place in (project.folder, home):
                self.left[place].add(reader.lower())

    def correct(self, project: Project, home: Path) -> None:
        """The words of an issue are changed and frozen once more."""
        file = project.folder / "issues" / f"{self.issue()}.yaml"
        word = f"blurb: It is number {self.chance.randint(10, 99)} and"
        file.write_text(file.read_text().replace("blurb: It is", word))
        self.run(project, home, "correct", file.stem, "--yes")

    def adopt(self, project: Project, home: Path) -> None:
        """A person takes a ledger on."""
        if self.run(project, home, "adopt", "--yes") == 0:
            self.learns(project.folder, home)
            self.learns(home, project.folder)

    def back_up(self, project: Project, home: Path) -> None:
        """Everything into a file."""
        file = self.root / f"backup{len(self.backups)}"
        if self.run(project, home, "backup", str(file)) == 0:
            then = self.root / f"then{len(self.backups)}"
            self.learns(then, project.folder)
            self.backups.append((file, then))

    def restore(self, project: Project, home: Path) -> None:
        """And back, wherever it is."""
        if not self.backups:
            return
        file, then = self.chance.choice(self.backups)
        if self.run(project, home, "restore", str(file), "--yes") == 0:
            self.has[project.folder], self.left[project.folder] = set(), set()
            self.learns(project.folder, then, home)
            self.learns(home, project.folder)

    def copy(self, project: Project, home: Path) -> None:
        """``cp -r``."""
        del home
        if len(self.folders) < MOST_FOLDERS:
            other = Project.__new__(Project)
            other.folder = self.root / f"folder{len(self.folders)}"
            shutil.copytree(project.folder, other.folder, symlinks=True)
            self.learns(other.folder, project.folder)
            self.folders.append(other)
            self.told.append(f"{other.folder.name} is a copy of {project.folder.name}")

    def take_ledger(self, project: Project, home: Path) -> None:
        """The ledger and key of one folder into another."""
        del home
        other = self.chance.choice(self.folders)
        if other is project:
            return
        for name in ("newsletter.db", "newsletter.db-wal", "newsletter.db-shm", "newsletter.key"):
            (other.folder / name).unlink(missing_ok=True)
            if (project.folder / name).exists():
                shutil.copy(project.folder / name, other.folder / name)
        self.has[other.folder], self.left[other.folder] = set(), set()
        self.learns(other.folder, project.folder)
        self.told.append(f"{other.folder.name} has the ledger of {project.folder.name}")

    def clean(self, project: Project, home: Path) -> None:
        """``git clean -fdx``."""
        del home
        for path in project.folder.glob("newsletter.*"):
            if path.suffix != ".toml":
                path.unlink()
        self.has[project.folder], self.left[project.folder] = set(), set()
        self.told.append(f"{project.folder.name} is cleaned")

    def change_list(self, project: Project, home: Path) -> None:
        """Some are not on the list, or are again."""
        del home
        self.put_list(project, [each for each in READERS if self.chance.random() < 0.85])

    def put_list(self, project: Project, readers: list[str]) -> None:
        """Let those be the list."""
        rows = [f"{each},Reader,en" for each in readers or READERS]
        (project.folder / "subscribers.csv").write_text("\n".join(["email,name,language", *rows]))

    def start_anew(self, project: Project, home: Path) -> None:
        """Another folder of the same list, as from version control."""
        del project, home
        if len(self.folders) < MOST_FOLDERS:
            self.fresh()

    def fresh(self) -> None:
        """A folder in which nothing was sent."""
        project = Project(
            self.root / f"folder{len(self.folders)}",
            delivery=smtp_delivery(self.server.port, connections=1)
            + "messages_per_connection = 1\n",
        )
        may = SHORT_ISSUE.replace("2017-04-28", "2017-05-28").replace("April", "May")
        project.issue(may, "2017-05")
        self.put_list(project, list(READERS))
        self.folders.append(project)


def main() -> int:
    """Live through worlds until one breaks."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash.histories", description=__doc__)
    parser.add_argument("--worlds", type=int, default=20)
    parser.add_argument("--homes", type=int, default=2, help="state folders in each")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    arguments = parser.parse_args()
    mailed = 0
    for seed in range(arguments.seed, arguments.seed + arguments.worlds):
        with tempfile.TemporaryDirectory() as folder, SmtpServer() as server:
            world = World(Path(folder), server, homes=arguments.homes, seed=seed)
            try:
                for _ in range(STEPS):
                    world.step()
            except AssertionError as broken:
                print("\n".join(world.told))
                print(f"seed {seed}: {broken}")
                return 1
            mailed += len(server.accepted)
    print(
        f"{arguments.worlds} worlds of {STEPS} steps from seed {arguments.seed}, {mailed:,} mails:"
    )
    print("nobody was mailed twice by who knew, and nobody who had left.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
