"""The documentation is complete and true: it is held against the code, and its commands run."""

import email
import functools
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
import typing
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import typer.core
import typer.main
import yaml
from newsletter.cli.app import Listed, app
from newsletter.config import PROVIDERS, ProviderSettings, RelayAccess, Settings
from newsletter.errors import ExitCode
from newsletter.ledger.states import TRANSITIONS, State, Step
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from tests.support.tools import ROOT
from tests.test_architecture import ARROWS, BASE, ONE_PLACE

PAGES = [
    *(ROOT / f"{name}.md" for name in ("README", "CHANGELOG", "CONTRIBUTING", "SECURITY")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
FENCE = re.compile(r"^ *```(?P<kind>\w*)\n(?P<body>.*?)^ *```$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def sections(text: str) -> dict[str, str]:
    """What stands below each heading, up to the next one."""
    _, *parts = HEADING.split(FENCE.sub("", text))
    return dict(zip(parts[::2], parts[1::2], strict=True))


def rows(text: str) -> list[list[str]]:
    """The cells of all table rows, without headers and rules."""
    lines = text.splitlines()
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for number, line in enumerate(lines)
        if line.startswith("|")
        and not re.match(r"\|[ |-]+$", line)
        and not re.match(r"\|[ |-]+$", lines[number + 1] if number + 1 < len(lines) else "")
    ]


def blocks(text: str, kind: str, *, after: str = "") -> list[str]:
    """The fenced blocks of a kind, or those with the comment ``<!-- after -->`` above them."""
    mark = f"<!-- {after} -->\n"
    return [
        found["body"]
        for found in FENCE.finditer(text)
        if found["kind"] == kind and (not after or text[: found.start()].endswith(mark))
    ]


# Commands


def leaves(
    group: typer.core.TyperGroup, *above: str
) -> Iterator[tuple[str, typer.core.TyperCommand]]:
    for name, listed in group.commands.items():
        command = listed.load() if isinstance(listed, Listed) else listed
        if isinstance(command, typer.core.TyperGroup):
            yield from leaves(command, *above, name)
        else:
            assert isinstance(command, typer.core.TyperCommand)
            yield " ".join((*above, name)), command


def program() -> typer.core.TyperGroup:
    command = typer.main.get_command(app)
    assert isinstance(command, typer.core.TyperGroup)
    return command


COMMANDS = dict(leaves(program()))


def heading_of(name: str) -> str:
    words = ["newsletter", name]
    for parameter in COMMANDS[name].params:
        if parameter.param_type_name == "argument":
            word = str(parameter.name).upper() + ("…" if parameter.nargs == -1 else "")
            words.append(word if parameter.required else f"[{word}]")
    return " ".join(words)


def parse(line: str) -> None:
    """Let the command line read ``line`` without running it.

    Raises:
        typer.BadParameter or its kind: there is no such command or option.
    """
    words = shlex.split(line, comments=True)[1:]
    if words[0] == "--log":
        del words[:2]
    name = next((n for n in (" ".join(words[:2]), words[0]) if n in COMMANDS), None)
    assert name, f"there is no command “{line}”"
    COMMANDS[name].make_context(name, words[len(name.split()) :])


def test_commands_md_has_a_section_for_every_command_and_no_other() -> None:
    headings = [name for name in sections(page("docs/commands.md")) if name.startswith("newsl")]
    assert sorted(map(heading_of, COMMANDS)) == sorted(headings)


@pytest.mark.parametrize("name", COMMANDS)
def test_commands_md_lists_exactly_the_options_of(name: str) -> None:
    section = sections(page("docs/commands.md"))[heading_of(name)]
    documented = {o for row in rows(section) for o in re.findall(r"`(-[-\w]+)`", row[0])}
    options = [p for p in COMMANDS[name].params if p.param_type_name == "option"]
    assert {word for p in options for word in (*p.opts, *p.secondary_opts)} == documented


@pytest.mark.parametrize("name", COMMANDS)
def test_help_and_commands_md_show_an_example_that_the_program_understands(name: str) -> None:
    found = re.search(
        rf"^Example: (newsletter {name}\b.*)$", COMMANDS[name].help or "", re.MULTILINE
    )
    assert found
    parse(found[1])
    examples = "\n".join(blocks(page("docs/commands.md"), "sh"))
    assert re.search(rf"^newsletter {name}\b", examples, re.MULTILINE)


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_every_command_in_a_page_is_one_that_exists(path: Path) -> None:
    for block in blocks(path.read_text(encoding="utf-8"), "sh"):
        for line in block.splitlines():
            if line.startswith("newsletter "):
                parse(line)


def test_every_exit_code_is_documented() -> None:
    table = rows(sections(page("docs/commands.md"))["Exit codes"])
    assert [int(code) for code in ExitCode] == [int(row[0]) for row in table]


@pytest.mark.parametrize("name", program().commands)
def test_the_list_of_commands_says_of_each_what_its_own_help_says(name: str) -> None:
    listed = program().commands[name]
    assert isinstance(listed, Listed)
    first = str(listed.load().help).split("\n\n")[0]
    assert " ".join(first.split()) == listed.help


# What neither Python, typer nor rich loads by itself for a list of commands.
HEAVY = {
    "PIL", "aiosmtpd", "asyncio", "babel", "cryptography", "email", "email_validator", "http",
    "jinja2", "json", "lxml", "mjml", "platformdirs", "premailer", "pydantic", "pydantic_core",
    "requests", "smtplib", "socket", "sqlite3", "ssl", "starlette", "tempfile", "tomllib",
    "urllib3", "uvicorn", "yaml",
}  # fmt: skip
# So much of the tool may be loaded for a list of commands.
LIGHT = {"newsletter", "newsletter.cli", "newsletter.cli.app", "newsletter.errors"}


def test_help_loads_no_command_and_no_engine() -> None:
    script = (
        "import sys, newsletter.cli.app as cli; cli.app(['--help'], standalone_mode=False);"
        "print(*sorted(sys.modules))"
    )
    loaded = set(run([sys.executable, "-c", script]).splitlines()[-1].split())
    assert set() == loaded & HEAVY
    assert LIGHT == {name for name in loaded if name.partition(".")[0] == "newsletter"}


# Settings


def inner_models(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in typing.get_args(annotation):
        yield from inner_models(inner)


def plural(model: type[BaseModel]) -> str:
    """``Private keys`` for PrivateKey: the heading of what several tables use."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", model.__name__).capitalize() + "s"


def tables_of_settings() -> dict[str, type[BaseModel]]:
    """Heading in settings.md → the model it describes."""
    found: dict[str, type[BaseModel]] = {"At the top": Settings}
    for name, field in Settings.model_fields.items():
        for table in inner_models(field.annotation):
            found["Providers" if name in PROVIDERS else f"[{name}]"] = table
            for inner in table.model_fields.values():
                models = inner_models(inner.annotation)
                # A condition may hold conditions: one table describes all.
                found |= {plural(model): model for model in models if model is not table}
    # One relay for one kind of mail.
    found["[public.relay]"] = found.pop(plural(RelayAccess))
    return found


def default_of(field: FieldInfo) -> str:
    if field.is_required():
        return "needed"
    if field.default is None:
        return "none"
    if isinstance(field.default, bool):
        return f"`{str(field.default).lower()}`"
    if isinstance(field.default, int | float):
        return f"`{field.default:g}`"
    if isinstance(field.default, tuple):
        return f"`{list(field.default)}`"
    if isinstance(field.default, list | dict):
        return f"`{field.default}`"
    return f'`"{field.default}"`'


@pytest.mark.parametrize(("heading", "model"), tables_of_settings().items())
def test_settings_md_has_every_key_with_its_default_and_limits(
    heading: str, model: type[BaseModel]
) -> None:
    fields = {
        name: field
        for name, field in model.model_fields.items()
        if model is not Settings or not list(inner_models(field.annotation))
    }
    is_table_of(fields, sections(page("docs/settings.md"))[heading])


@pytest.mark.parametrize("name", PROVIDERS)
def test_providers_md_has_every_key_of_a_provider_with_its_default_and_limits(name: str) -> None:
    table = PROVIDERS[name]
    fields = {
        name: field
        for name, field in table.model_fields.items()
        if name not in ProviderSettings.model_fields
    }
    section = sections(page("docs/providers.md"))[table.title]
    is_table_of(fields, section.partition("| key |")[2].partition("\n\n")[0])


def is_table_of(fields: Mapping[str, FieldInfo], text: str) -> None:
    table = rows(text)
    names = [field.alias or name for name, field in fields.items()]
    assert [f"`{name}`" for name in names] == [row[0] for row in table]
    for (_, default, meaning, _), field in zip(table, fields.values(), strict=True):
        assert default_of(field) == default
        for limit in field.metadata:
            number = getattr(limit, "le", None)
            assert number is None or f"{number:g}" in meaning


@pytest.mark.parametrize(
    "name",
    [
        *("docs/dkim", "docs/going-live", "docs/settings", "docs/providers", "docs/smtp"),
        *("docs/subscribers", "docs/segments", "docs/bounces"),
    ],
)
def test_every_settings_example_is_accepted(name: str) -> None:
    examples = [tomllib.loads(block) for block in blocks(page(f"{name}.md"), "toml")]
    assert examples
    for example in examples:
        base: dict[str, Any] = tomllib.loads(page("newsletter.toml"))
        Settings.model_validate({**base, **example})


# Ledger, dependencies, architecture


def test_ledger_md_has_every_state() -> None:
    states = [row[0] for row in rows(sections(page("docs/ledger.md"))["States"])]
    assert [f"`{state}`" for state in State] == states


def test_ledger_md_has_every_step_with_where_from_and_where_to() -> None:
    documented: dict[Step, dict[State, State]] = defaultdict(dict)
    for step, origins, target, _ in rows(sections(page("docs/ledger.md"))["Steps"]):
        for origin in origins.split(", "):
            documented[Step(step)][State(origin.strip("`"))] = State(target.strip("`"))
    assert documented == TRANSITIONS


def test_every_dependency_has_its_line_and_its_reason() -> None:
    project = tomllib.loads(page("pyproject.toml"))
    extras = project["project"]["optional-dependencies"]
    wanted = [
        *project["project"]["dependencies"],
        *project["build-system"]["requires"],
        *(requirement for extra in extras.values() for requirement in extra),
    ]
    names = {re.split(r"[<>=!~;\[ ]", requirement)[0] for requirement in wanted}
    names |= json.loads(page("package.json"))["devDependencies"].keys()
    table = rows(page("docs/decisions/0002-dependencies.md"))
    assert sorted(names) == sorted(name.strip("`") for name, _ in table)
    assert all(reason for _, reason in table)


def test_the_workflow_calls_the_gate_from_the_oldest_python_on() -> None:
    workflow = yaml.safe_load(page(".github/workflows/ci.yml"))["jobs"]["gate"]
    oldest = tomllib.loads(page("pyproject.toml"))["project"]["requires-python"]
    assert [oldest.removeprefix(">="), "3.12", "3.13"] == workflow["strategy"]["matrix"]["python"]
    assert ".ci/run" in [step.get("run") for step in workflow["steps"]]


def test_architecture_md_has_every_room() -> None:
    table = rows(sections(page("docs/architecture.md"))["Packages and imports"])
    rooms = {room for row in table for room in re.findall(r"`(\w+)/?`", row[0])}
    assert BASE | ARROWS.keys() | {"cli"} == rooms


def test_architecture_md_names_what_each_package_imports() -> None:
    table = rows(sections(page("docs/architecture.md"))["Packages and imports"])
    above: set[str] = set()
    for package, _, imports in table:
        here = package.strip("`/")
        may = {arrow.partition(".")[0] for arrow in ARROWS.get(here, ())}
        told = above if imports == "all of the above" else set(re.findall(r"`(\w+)/`", imports))
        assert may == told, here
        above |= {here} & ARROWS.keys()


def test_architecture_md_names_every_module_that_makes_random_numbers() -> None:
    table = dict(rows(sections(page("docs/architecture.md"))["The one place of each side effect"]))
    assert ONE_PLACE["secrets"] == set(re.findall(r"`([\w/]+\.py)`", table["randomness"]))


def test_where_to_find_it_names_files_that_exist_for_each_change() -> None:
    table = rows(sections(page("docs/architecture.md"))["Where to find it"])
    assert len(table) >= 12
    for change, code, beside, tests in table:
        inside = [f"newsletter/{name}" for name in re.findall(r"`([\w/.]+/|[\w/]+\.py)`", code)]
        outside = re.findall(r"`((?:templates|tests)/[\w/.-]+)`", f"{beside} {tests}")
        assert inside or code == "nothing", change
        assert "`tests/" in tests, change
        assert [] == [name for name in inside + outside if not (ROOT / name).exists()], change
        for name in re.findall(r"`(_?[A-Za-z_]+)`", code):  # what to look for in the file before
            file = re.search(rf"`([\w/]+\.py)`: `{name}`", code)
            assert file, name
            assert name in page(f"newsletter/{file[1]}"), name


@functools.cache
def modules() -> list[str]:
    return [name_of(p) for folder in ("newsletter", "tests") for p in (ROOT / folder).rglob("*.py")]


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_every_module_that_a_page_names_exists(path: Path) -> None:
    for name in re.findall(r"`([\w/]+\.py)`", path.read_text(encoding="utf-8")):
        assert [m for m in modules() if f"/{m}".endswith(f"/{name}")], name


# Links


def anchors(text: str) -> set[str]:
    headings = HEADING.findall(FENCE.sub("", text))
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_every_relative_link_leads_somewhere(path: Path) -> None:
    prose = FENCE.sub("", path.read_text(encoding="utf-8"))
    for target, anchor in re.findall(r"\]\(([^)#\s]*)#?([^)\s]*)\)", prose):
        if not target.startswith(("https://", "mailto:")):
            file = (path.parent / target) if target else path
            assert file.exists(), target
            assert not anchor or anchor in anchors(file.read_text(encoding="utf-8")), anchor


def test_the_index_leads_to_every_page() -> None:
    index = re.findall(r"\]\(([\w/-]+\.md)\)", page("docs/README.md"))
    there = {name_of(path) for path in PAGES if path.is_relative_to(ROOT / "docs")}
    assert there - {"docs/README.md"} == {f"docs/{target}" for target in index}


# The walk: README begins it, the page on the promise goes on

WALK = ("README.md", "docs/promise.md")


def run(command: list[str], *, cwd: Path = ROOT, **environment: str) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    given = {"PATH": path, "PYTHONPATH": str(ROOT), "COLUMNS": "200", **environment}
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **given},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_the_first_send_and_the_checks_of_the_promise_show_what_they_say(tmp_path: Path) -> None:
    text = "\n".join(map(page, WALK))
    script = "\n".join(blocks(text, "sh", after="walk"))
    # Typed as it stands, but nobody is here to say yes.
    script = re.sub(r"(?m)^newsletter send (?!.*--dry-run).*$", r"\g<0> --yes", script)
    output = run(["bash", "-euo", "pipefail", "-c", script], HOME=str(tmp_path))
    shown = "".join(blocks(text, "text", after="shown")).splitlines()
    assert shown
    assert [] == [line for line in shown if line not in output]
    mails = list((tmp_path / "our-newsletter" / "outbox" / "new").iterdir())
    readers = {email.message_from_bytes(mail.read_bytes())["To"] for mail in mails}
    assert 13 == len(readers) == len(mails), "one mail a reader"


@pytest.mark.parametrize("answer", ['{"token_type": "Bearer", "access_token": "ya29.x"}', ""])
def test_the_script_in_smtp_md_prints_the_token_alone(tmp_path: Path, answer: str) -> None:
    (script,) = blocks(page("docs/smtp.md"), "sh", after="token")
    (tmp_path / ".config").mkdir()
    (tmp_path / ".config" / "newsletter-token").write_text("grant_type=client_credentials\n")
    (tmp_path / "asked").write_text(answer)
    # It stands for the endpoint, and takes what the script sends by the file's name alone.
    curl = tmp_path / "curl"
    curl.write_text(
        '#!/bin/sh\ncase "$*" in *"--data @$HOME/.config/newsletter-token https://"*) ;; '
        '*) exit 3;; esac\ncat "$HOME/asked"\n'
    )
    curl.chmod(0o700)
    done = subprocess.run(
        ["sh", "-c", script],
        env={"HOME": str(tmp_path), "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ("ya29.x\n" if answer else "") == done.stdout
    assert (done.returncode == 0) is bool(answer)


def test_what_the_public_side_claims_is_claimed_in_the_same_words_everywhere() -> None:
    claims = {
        line.removeprefix("> ")
        for page in ("README.md", "docs/public.md")
        for line in (ROOT / page).read_text("utf-8").splitlines()
        if "guesses addresses" in line
    }
    assert 1 == len(claims)
