"""The imports that docs/architecture.md allows, and the one place of each side effect."""

import ast
import functools
from collections import Counter
from pathlib import Path

import pytest
from benchmarks.house import components, imports, longest, parsed
from newsletter.cli.app import _PANELS

from tests.support.tools import ROOT

PACKAGE = ROOT / "newsletter"
BASE = {
    "errors", "model", "addresses", "clock", "config", "source", "theme", "theme_files",
    "credentials", "material", "archive_layout", "state_folder", "bounded_json",
    "log", "regular_file", "keyed_hash", "system", "wrong_value", "phrases", "refusal_words",
    "web_addresses", "display_names", "formulas", "invisible", "reader_states",
    "issue_dates",
}  # fmt: skip

# Room → what it may import besides the base and itself. A dotted name allows
# that module alone.
ARROWS: dict[str, set[str]] = {
    "issues": set(),
    "audience": set(),
    "render": set(),
    "checks": {
        "render.edition",
        "render.slots",
        "render.markdown",
        "render.mail_urls",
        "render.locales",
    },
    "message": {"render.edition", "render.slots"},
    "transports": {"message.model", "render.edition"},
    "ledger": {"message.keys", "message.model", "render.edition"},
    "delivery": {"ledger", "message", "audience", "transports.protocol"},
    "feedback": {"ledger"},
    "report": {"ledger"},
    "archive": {"render"},
    # No ledger, no list, no delivery: a server knows none of them. It mails one thing.
    "web": {
        "message.keys",
        "message.tokens",
        "message.model",
        "message.notice",
        "render",
        "transports.protocol",
        "transports.submission",
    },
    "project": {
        "issues",
        "audience",
        "render",
        "checks",
        "message",
        "transports",
        "ledger",
        "delivery",
        "feedback",
        "report",
        "archive",
        "web",
    },
    "preview": {"project", "render.slots", "checks", "audience", "message", "issues"},
    # It opens no ledger, no transport and starts no run: of those rooms it knows words and values.
    "cli": {
        "project",
        "preview",
        "web",
        "checks",
        "report",
        "issues",
        "render.locales",
        "render.urls",
        "ledger.adoption",
        "ledger.backup.About",
        "ledger.campaigns",
        "ledger.leave_reasons",
        "ledger.plan",
        "ledger.reading",
        "ledger.states",
        "ledger.suppressions",
        "ledger.tally",
        "feedback.mail_news",
        "transports.protocol",
    },
    "testing": {"message", "transports.protocol"},
}

# What acts on the world → the only places that may touch it.
ONE_PLACE: dict[str, set[str]] = {
    "sqlite3": {"ledger/database.py", "ledger/campaigns.py",
                "ledger/upgrade.py", "web/log.py"},
    "requests": {"transports/http.py"},
    "smtplib": {"transports/smtp_connection.py", "transports/smtp_wire.py"},
    "imapclient": {"feedback/imap.py"},
    "imaplib": {"feedback/imap.py"},
    "dns": {"project/mail_domains.py"},
    "feedparser": {"issues/feed_entries.py"},
    "flufl": {"feedback/odd_bounces.py"},
    "aiosmtpd": {"transports/mailbox.py"},
    "cryptography": {"feedback/webhooks.py", "message/dkim.py"},
    "nacl": {"message/keys.py", "web/seal.py"},
    "premailer": {"render/inline.py"},
    "mjml": {"render/mjml.py"},
    "jinja2": {"render/filters.py", "render/sandbox.py", "render/template.py",
               "render/template_limits.py"},
    "PIL": {"issues/image_prepare.py"},
    "markdown_it": {"render/markdown.py", "render/plaintext.py"},
    "yaml": {"issues/document.py", "issues/hints.py"},
    "typer": {"cli/app.py", "cli/archive.py", "cli/arguments.py", "cli/asking.py",
              "cli/audience.py", "cli/backup.py", "cli/bounces.py", "cli/correcting.py",
              "cli/docs.py", "cli/importing.py", "cli/keys.py", "cli/listing.py",
              "cli/looking.py", "cli/proof.py", "cli/report.py",
              "cli/resolving.py", "cli/resuming.py", "cli/rights.py", "cli/running.py",
              "cli/sending.py", "cli/serving.py", "cli/starting.py", "cli/status.py",
              "cli/syncing.py", "cli/waiting.py"},
    "rich": {"cli/output.py", "cli/progress.py", "cli/watching.py"},
    "starlette": {"preview/app.py", "web/answers.py", "web/app.py", "web/forms.py",
                  "web/confirming.py", "web/leaving.py", "web/preferences.py",
                  "web/signing_up.py", "web/sync_api.py",
                  "web/tokens.py", "web/webhooks.py"},
    "uvicorn": {"preview/server.py", "web/server.py"},
    "time": {"clock.py"},
    "random": set(),
    "secrets": {"ledger/database.py", "ledger/record.py", "message/keys.py", "project/proof.py",
                "project/send.py", "transports/mailbox.py", "web/events.py", "web/log.py",
                "web/sign_up_limits.py"},
    "subprocess": {"credentials.py", "archive/pdf.py", "audience/sheet_probe.py"},
    "email_validator": {"addresses.py"},
    "python_calamine": {"audience/spreadsheets.py", "audience/sheet_probe.py"},
    "charset_normalizer": {"audience/charset.py"},
}  # fmt: skip

# Modules that not every operating system has, or not all of.
NOT_EVERYWHERE = {
    "fcntl", "grp", "msvcrt", "posix", "pty", "pwd", "resource", "select", "syslog", "termios",
    "tty", "winreg",
}  # fmt: skip

# Names of the standard library that Windows lacks; mypy finds the rest (`make lint`).
POSIX_ONLY = {
    "chown", "fchmod", "fork", "getegid", "geteuid", "getgid", "getuid", "killpg", "mkfifo",
    "O_CLOEXEC", "O_DIRECTORY", "O_NOCTTY", "O_NOFOLLOW", "O_NONBLOCK", "openpty", "sendmsg",
    "setsid", "SIGHUP", "SIGKILL", "SIGSTOP", "SIGUSR1", "uname",
}  # fmt: skip


def modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if "_scaffold" not in path.parts)


@functools.cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@functools.cache
def imported(path: Path) -> frozenset[str]:
    """Full dotted names of all that a module imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(names)


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def place(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


@pytest.mark.parametrize("path", modules(), ids=place)
def test_each_module_imports_only_what_its_room_may(path: Path) -> None:
    here = room(path)
    if here in {"__init__", "__main__"}:
        return
    allowed = BASE if here in BASE else BASE | {here} | ARROWS[here]
    inner = {n.removeprefix("newsletter.") for n in imported(path) if n.startswith("newsletter.")}
    wrong = {name for name in inner if not any(f"{name}.".startswith(f"{ok}.") for ok in allowed)}
    assert set() == wrong - {"__version__"}


def test_no_room_may_import_what_it_does_not_use() -> None:
    for here, allowed in ARROWS.items():
        names = {name for path in modules() if room(path) == here for name in imported(path)}
        unused = {
            arrow
            for arrow in allowed
            if not any(f"{name}.".startswith(f"newsletter.{arrow}.") for name in names)
        }
        assert set() == unused, here


def users_of(library: str) -> set[str]:
    return {
        place(path)
        for path in modules()
        if any(f"{name}.".startswith(f"{library}.") for name in imported(path))
    }


@pytest.mark.parametrize("library", sorted(ONE_PLACE))
def test_each_side_effect_has_its_one_place(library: str) -> None:
    assert users_of(library) == ONE_PLACE[library]


@pytest.mark.parametrize("library", sorted(NOT_EVERYWHERE))
def test_one_module_imports_what_not_every_system_has(library: str) -> None:
    assert users_of(library) <= {"system.py"}


def test_only_one_module_reads_the_environment() -> None:
    users = {
        place(path)
        for path in modules()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"}
    }
    assert users <= {"credentials.py"}


def test_one_module_knows_what_operating_systems_do_differently() -> None:
    users = {
        place(path)
        for path in modules()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute) and node.attr in POSIX_ONLY
    }
    assert users == {"system.py"}


def test_a_ledger_is_opened_in_three_places_and_handed_to_all_others() -> None:
    openers = {
        place(path)
        for path in modules()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "Ledger"
    }
    assert openers == {"ledger/adoption.py", "ledger/backup.py", "project/project.py"}


def test_only_the_command_line_prints_and_asks() -> None:
    calls = {
        room(path)
        for path in modules()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in {"print", "input"}
    }
    streams = {
        room(path)
        for path in modules()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute)
        and node.attr in {"stdin", "stdout", "stderr"}
        and isinstance(node.value, ast.Name)
        and node.value.id == "sys"
    }
    assert calls | streams <= {"cli"}


def test_no_module_of_the_command_line_imports_a_command() -> None:
    cli = {path: imported(path) for path in modules() if room(path) == "cli"}
    places = {place for commands in _PANELS.values() for place, _ in commands.values()}
    commands = {f"newsletter.cli.{place.partition(':')[0]}" for place in places}
    assert len(commands) > 10
    wrong = {
        (place(path), name)
        for path, names in cli.items()
        for name in names
        if any(f"{name}.".startswith(f"{command}.") for command in commands)
    }
    assert set() == wrong


def test_only_the_clock_asks_for_the_time() -> None:
    users = {
        place(path)
        for path in modules()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in {"now", "utcnow", "today"}
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id in {"datetime", "date", "dt"}
    }
    assert users <= {"clock.py"}


def test_rendering_touches_neither_disk_nor_net() -> None:
    forbidden = {"os", "socket", "requests", "urllib.request", "http", "pathlib", "io", "time"}
    wrong = {
        (place(path), name)
        for path in modules()
        if room(path) == "render"
        for name in imported(path)
        if any(f"{name}.".startswith(f"{bad}.") for bad in forbidden)
    }
    assert set() == wrong


@functools.cache
def edges() -> dict[str, set[str]]:
    return imports(parsed(ROOT))


def test_no_modules_import_one_another_in_a_circle() -> None:
    circles = components(edges())
    assert len(circles) > 100
    assert [] == [name for number, count in Counter(circles.values()).items() if count > 1
                  for name in circles if circles[name] == number]  # fmt: skip


def test_no_chain_of_imports_is_long() -> None:
    chain = longest(edges(), components(edges()))
    assert 10 < len(chain) <= 14, " → ".join(chain)


def test_there_is_no_drawer() -> None:
    drawers = {"utils", "util", "helpers", "helper", "core", "common", "misc"}
    assert not [path for path in modules() if path.stem in drawers]
