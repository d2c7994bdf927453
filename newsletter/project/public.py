"""What a public server may know of a project, written to a folder for it."""

from __future__ import annotations

from pathlib import Path

from newsletter.config import FILE_NAME
from newsletter.errors import ConfigError, InputError, Where
from newsletter.project.project import Project
from newsletter.project.writing import refuse_own
from newsletter.web.bundle import FILE_NAME as PUBLIC_FILE
from newsletter.web.bundle import Bundle


def write_bundle(project: Project, folder: Path) -> Bundle:
    """Write what a public server needs to ``folder``; an earlier bundle there is replaced.

    Raises:
        ConfigError: there is no public server in the settings, or the key file cannot be used.
        TemplateError: the theme cannot be used.
        InputError: the folder holds other things, or cannot be written.
    """
    if project.settings.public is None:
        raise ConfigError(
            "The settings name no public server.",
            where=Where(project.folder / FILE_NAME),
            next='Add a table [public] with url = "https://news.example.org".',
        )
    refuse_own(project, folder)
    inside = project.folder.resolve().is_relative_to(folder.resolve())
    try:
        strange = folder.exists() and any(folder.iterdir()) and not (folder / PUBLIC_FILE).exists()
    except OSError:
        strange = True
    if inside or strange:
        raise InputError(
            "That folder holds other things, so nothing was written there.",
            where=Where(folder),
            next="Name a new folder with --out, such as public.",
        )
    _ = project.theme  # says what is wrong with it
    project.keys_with_bearer()
    bundle = Bundle.of(project)
    try:
        bundle.write(folder)
    except OSError as error:
        raise InputError(
            f"The files cannot be written: {error.strerror}.",
            where=Where(folder),
            next="Name another folder with --out.",
        ) from None
    return bundle
