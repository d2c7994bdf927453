"""``init`` and ``new``: starting a project and an issue."""

from __future__ import annotations

import datetime as dt
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from newsletter.cli.output import say, show_facts
from newsletter.config import FILE_NAME
from newsletter.errors import InputError, IssueError, Where
from newsletter.project import Project


def init(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Folder of the new project; made if missing.")
    ],
) -> None:
    """Start a newsletter project in a folder. Overwrites nothing.

    Example: newsletter init our-newsletter
    """
    from newsletter.issues.scaffold import init_project, scaffold_folder

    if (folder / FILE_NAME).exists():
        raise InputError(
            "There is a newsletter project here already, so nothing was written.",
            where=Where(folder / FILE_NAME),
            next="“newsletter new ID” starts an issue in it; or choose another folder.",
        )
    written = init_project(folder, scaffold=scaffold_folder())
    issue = next(path.stem for path in written if path.suffix == ".yaml")
    say(f"The project is in {folder}: {len(written)} files, with a first issue to write on.")
    show_facts(
        [
            *([] if folder.resolve() == Path.cwd() else [(f"  cd {folder}", "go there")]),
            (f"  newsletter preview {issue}", "look at it while you write"),
            (f"  newsletter send {issue}", "try a send: each mail becomes a file in outbox/"),
        ]
    )


def _day(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%d")  # noqa: DTZ007 - a day has no zone
    except ValueError:
        raise typer.BadParameter(
            f"“{text}” is not a date. Write it like this: 2017-04-28"
        ) from None


def new(
    issue: Annotated[str, typer.Argument(metavar="ID", help="Id of the issue, such as 2017-04.")],
    title: Annotated[str, typer.Option(metavar="TEXT", help="Title. Default: the id.")] = "",
    day: Annotated[
        datetime | None,
        typer.Option(
            "--date",
            metavar="YYYY-MM-DD",
            parser=_day,
            help="Day of publication. Default: today.",
        ),
    ] = None,
    language: Annotated[
        str,
        typer.Option(
            metavar="CODE", help="Language, such as fr. Default: language in newsletter.toml."
        ),
    ] = "",
    skeleton: Annotated[
        str,
        typer.Option(metavar="NAME", help="What to start from: monthly, links, essay or events."),
    ] = "monthly",
    from_feed: Annotated[
        str,
        typer.Option(metavar="URL", help="Make the newest entries of an RSS or Atom feed stories."),
    ] = "",
) -> None:
    """Start an issue, or a translation of one (2017-04.fr). Overwrites nothing.

    A new issue has one story and a note on every key; --skeleton starts another kind of
    newsletter, --from-feed one with the texts of a feed. A translation begins as a copy of its
    original, for you to write over.

    Example: newsletter new 2017-04 --title "April 2017" --date 2017-04-28
    """
    from newsletter.issues.loader import issue_name
    from newsletter.issues.scaffold import new_issue

    project = Project.here()
    path = project.issues_folder / f"{issue}.yaml"
    try:
        fits, translated = path.parent == project.issues_folder, issue_name(path)[1]
    except IssueError:
        fits, translated = False, None
    if not fits:
        raise InputError(
            f"“{issue}” cannot be the id of an issue.",
            next="Use lower-case letters, digits and hyphens, such as 2017-04, or 2017-04.fr for "
            "a translation.",
        )
    if translated is not None:
        if day or language:
            raise InputError(
                "A translation has the date of its original, and the language of its name.",
                next="Leave --date and --language out.",
            )
        for option, given in (("--skeleton", skeleton != "monthly"), ("--from-feed", from_feed)):
            if given:
                raise InputError(
                    "A translation begins as a copy of its original.", next=f"Leave {option} out."
                )
        _translate(project, path, title)
        return
    if from_feed and skeleton != "monthly":
        raise InputError(
            "An issue begins with a skeleton or with the entries of a feed.",
            next="Leave --skeleton or --from-feed out.",
        )
    title, date = title or issue, day.date() if day else project.clock.now().date()
    language = language or project.settings.language
    if from_feed:
        _draft(project, path, from_feed, title=title, date=date, language=language)
        return
    new_issue(path, title=title, date=date, language=language, web_url=None, skeleton=skeleton)
    say(f"{path} is ready. Write in it, and look at it with: newsletter preview {issue}")


def _draft(
    project: Project, path: Path, url: str, *, title: str, date: dt.date, language: str
) -> None:
    """Start an issue from a feed, and say what became of its entries."""
    from newsletter.project.feed_draft import draft_from_feed

    feed = draft_from_feed(
        path, url, title=title, date=date, language=language, clock=project.clock
    )
    made = len(feed.entries)
    stories = f"{made} {'story' if made == 1 else 'stories'}"
    if feed.found == made:
        say(f"{path} is ready, with {stories} from the feed.")
    else:
        repeated = f" {feed.repeated:,} of them are there twice." if feed.repeated else ""
        say(
            f"{path} is ready, with {stories}: the newest of the feed's {feed.found:,} entries "
            f"that have a title or a text.{repeated}"
        )
    say(
        "Texts are cut after about 130 words, and pictures are left out. Read each story, write "
        f"the preheader, and look at it with: newsletter preview {path.stem}"
    )


def _translate(project: Project, path: Path, title: str) -> None:
    """Start a translation, and say what to do next."""
    from newsletter.issues.scaffold import new_translation

    original = new_translation(path, title=title, fields=project.settings.audience.fields)
    say(f"{path} is ready, as a copy of {original}. Translate each text.")
    show_facts(
        [
            (f"  newsletter check {original.stem}", "lists what is not translated yet"),
            (f"  newsletter preview {original.stem}", "shows it once nothing is missing"),
        ]
    )
    say(
        "The issue cannot be sent until the translation is complete. To send it without, "
        f"rename the file to {path.name}.draft."
    )
