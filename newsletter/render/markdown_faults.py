"""What an issue's Markdown may not hold, since a mail cannot show it well. No I/O."""

from __future__ import annotations

import re
from collections.abc import Iterator

from newsletter.errors import IssueError, Problem
from newsletter.invisible import invisible_in_address
from newsletter.render.mail_vocabulary import MailVocabulary
from newsletter.render.markdown import link_targets, pictures_in, words_in
from newsletter.render.slots import TOKEN

_DEAD_LINK = re.compile(r"\[[^\[\]]*+\]\([^)\s]++\)?")


def refuse_bad_markdown(vocabulary: MailVocabulary) -> None:
    """Stop over pictures, links that would be shown as text, and merge fields in addresses.

    Raises:
        IssueError: names each place.
    """
    issue, source = vocabulary.given.issue, vocabulary.given.source
    problems = [
        Problem(what, source.where(*value.path, item=issue.item(value.path)), advice)
        for value in issue.parts()
        if value.says.markdown
        for what, advice in _faults(vocabulary, value.text)
    ]
    if problems:
        raise IssueError(
            "Some texts of the issue cannot be put into a mail.",
            where=problems[0].where,
            problems=problems,
        )


def _faults(vocabulary: MailVocabulary, text: str) -> Iterator[tuple[str, str]]:
    tokens = vocabulary.parse(text)
    for address in pictures_in(tokens):
        yield (
            f"The text would load the picture {address}.",
            "Put the story's picture under “image”, with alt and credit.",
        )
    if any(TOKEN.search(address) for address in link_targets(tokens)):
        yield (
            "A merge field stands in the address of a link.",
            "Write the same address for all readers.",
        )
    if hidden := invisible_in_address(text):
        yield (
            f"A web address holds an invisible character: {hidden}.",
            "Delete it, or type the address again.",
        )
    for words in words_in(tokens):
        if dead := _DEAD_LINK.search(words):
            yield (
                f"“{dead.group()}” leads nowhere.",
                "Write the full address, starting with https://, http:// or mailto:. "
                "If it is no link, put a space before the parenthesis.",
            )
