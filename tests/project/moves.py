"""Moves for tests: files of other programs, imported through the application's own functions."""

import io
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from newsletter.addresses import Address
from newsletter.ledger.suppressions import Reason
from newsletter.project import Project
from newsletter.project.imports import (
    Done,
    ImportOptions,
    StagedImport,
    decide,
    import_ledger,
    stage,
    write,
)

_STATES = {Reason.COMPLAINED: "spam", Reason.UNSUBSCRIBED: "left", Reason.BOUNCED: "dead"}

Files = Mapping[str, str | bytes]


def written(folder: Path, files: Files) -> list[Path]:
    """The files on disk, in their order."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, content in files.items():
        path = folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        paths.append(path)
    return paths


def zipped(files: Files) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


def moved(
    project: Project, paths: Iterable[Path], options: ImportOptions | None = None
) -> tuple[StagedImport, Done]:
    """Import files, and see that each row of each is accounted for."""
    with import_ledger(project, dry_run=False) as into:
        staged = stage(project, into, list(paths), options or ImportOptions())
        decide(staged)
        for file in staged.files:
            counts = file.counts
            told = counts.accepted + counts.merged + counts.suppressed + file.rejected
            assert file.rows == told, file
        if staged.is_known:
            return staged, Done(0, 0, None)
        return staged, write(project, into, staged)


def everybody(project: Project) -> dict[bytes, tuple[str, str, str]]:
    """All of whom the ledger knows anything by imports, by tag: state, name, language."""
    with import_ledger(project, dry_run=True) as into:
        ledger, tag_of = into.ledger, project.keys.address_tag
        found = {tag_of(each.address): ("in", each.name, each.language)
                 for each in ledger.imports.readers()}  # fmt: skip
        found |= {tag: (str(state), "", "") for tag, state in ledger.imports.kept_off().items()}
        for tag in ledger.suppressions.tags():
            reasons = [_STATES[leave.reason] for leave in ledger.suppressions.in_force(tag)]
            found[tag] = (max(reasons, key=("dead", "left", "spam").index), "", "")
        return found


def people(project: Project, *names: str) -> dict[str, str]:
    """What counts for each reader: a state, or “unknown”."""
    keys, found = project.keys, {}
    with import_ledger(project, dry_run=True) as into:
        ledger = into.ledger
        held = ledger.imports.kept_off()
        listed = {str(each.address).casefold() for each in ledger.imports.readers()}
        for name in names:
            address = name if "@" in name else f"{name}@readers.example"
            tag = keys.address_tag(Address.parse(address))
            reasons = [_STATES[leave.reason] for leave in ledger.suppressions.in_force(tag)]
            if reasons:
                found[name] = max(reasons, key=("dead", "left", "spam").index)
            elif tag in held:
                found[name] = str(held[tag])
            else:
                found[name] = "in" if address.casefold() in listed else "unknown"
    return found
