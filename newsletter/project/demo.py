"""A throw-away newsletter, sent to made-up readers: for “newsletter serve --demo”."""

from __future__ import annotations

import email
import email.policy
import re
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from newsletter.config import FILE_NAME
from newsletter.issues.scaffold import init_project, scaffold_folder
from newsletter.project import archive
from newsletter.project.plan import SendOptions, freeze, prepare_to_freeze
from newsletter.project.project import Project
from newsletter.project.send import Observer, run_campaign
from newsletter.project.transport import open_transport

_EXAMPLE_URL = "https://news.example.org"


@dataclass(frozen=True, slots=True)
class Demo:
    """A newsletter that was sent into its outbox.

    Attributes:
        project: it; removed with the demo.
        reader: to whom one of its mails is addressed.
        page: the link to leave in the text of that mail.
        header: the link in its header List-Unsubscribe.
    """

    project: Project
    reader: str
    page: str
    header: str


@contextmanager
def demo(url: str, observer: Observer) -> Iterator[Demo]:
    """Start a project, publish its issue and send it into the mailbox; remove it afterwards.

    Args:
        url: where its public side will be: a loopback address.
        observer: is told how the send goes.

    Raises:
        NewsletterError: it cannot be written or sent.
    """
    with tempfile.TemporaryDirectory(
        prefix="newsletter-demo-", ignore_cleanup_errors=True
    ) as folder:
        project = Project(Path(folder))
        written = init_project(project.folder, scaffold=scaffold_folder())
        settings = project.folder / FILE_NAME
        settings.write_text(settings.read_text("utf-8").replace(_EXAMPLE_URL, url), "utf-8")
        issue = next(path.stem for path in written if path.suffix == ".yaml")
        archive.build(project, [issue], pdf=False)
        with project.lock() as check_lock, closing(open_transport(project)) as transport:
            campaign = freeze(project, prepare_to_freeze(project, issue, SendOptions()))
            run_campaign(project, campaign, transport, observer, check_lock=check_lock)
        yield _read_a_mail(project, url)


def _read_a_mail(project: Project, url: str) -> Demo:
    path = min(project.mails.iterdir())
    mail = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    body = mail.get_body(("plain",))
    assert body is not None
    page = re.search(rf"{re.escape(url)}/leave/\S+", body.get_content())
    assert page is not None
    return Demo(project, mail["To"], page[0], mail["List-Unsubscribe"].strip("<>"))
