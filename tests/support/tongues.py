"""What the newsletter of this repository says in each language, and whether one leaks into another.

A phrase is a set phrase of the theme, a label, a sentence of the issue, a word of
the organisation about itself, the name of a language or of a month. Names that
two languages share are no phrases of either.
"""

import functools
import re
import tomllib
from collections.abc import Iterable, Iterator

from babel import Locale
from lxml import html as lxml_html
from newsletter.config import Organisation
from newsletter.model import MERGE_FIELD, Issue, Story
from newsletter.render.locales import language_name, long_date

from tests.support.march import LANGUAGES, SETTINGS, march
from tests.support.tools import ROOT

WORDS = (*LANGUAGES, "ru")
"""The languages that the theme speaks; there is no issue in Russian."""
NAMES = frozenset({"Mexico", "Zimbabwe"})
"""Places in one language, and parts of names in another: “la ville de Mexico”."""
_ADDRESS = re.compile(r"(?:https?://|mailto:)\S+|\S+@\S+")
_SENTENCE_END = re.compile(r"(?<=[.!?؟…])\s+|\n\n")


@functools.cache
def phrases(language: str) -> frozenset[str]:
    """All that is said in a language."""
    told = [*_of_theme(language), *_of_calendar(language)]
    if language in LANGUAGES:
        told += of_issue(march(language).loaded.issue)
    if language == SETTINGS.language or language in SETTINGS.organisation.translations:
        told += of_organisation(SETTINGS.organisation_in(language)[0])
    return frozenset(phrase for each in told if _says_something(phrase := flat(each))) - NAMES


def _says_something(phrase: str) -> bool:
    return len(re.findall(r"[^\W\d]", phrase)) > 1


def leaks(language: str, text: str, among: Iterable[str] = WORDS) -> list[str]:
    """The phrases of other languages that stand in a text of ``language``."""
    rest = _ADDRESS.sub(" ", text)
    for label in _labels_of_elsewhere(march(language).loaded.issue):
        rest = rest.replace(label, " ")
    own = phrases(language)
    foreign = {phrase for other in among if other != language for phrase in phrases(other)}
    return sorted(phrase for phrase in foreign - own if stands(phrase, rest))


def stands(phrase: str, text: str) -> bool:
    """Whether a phrase stands there as whole words: no “Contact” in “Contacto”."""
    return phrase in text and bool(re.search(rf"(?<!\w){re.escape(phrase)}(?!\w)", text))


def flat(text: str) -> str:
    """``text`` on one line."""
    # French no-break spaces are part of its phrases, line breaks of the text part are not.
    return re.sub(r"[ \t\r\n]+", " ", text).strip()


def read_html(html: str) -> str:
    """What a reader of the HTML sees or hears, on one line."""
    page = lxml_html.document_fromstring(html)
    spoken = [e.get(name) or "" for e in page.iter() for name in ("alt", "aria-label", "title")]
    for element in page.iter():
        if element.tag in {"style", "script"} or not isinstance(element.tag, str):
            element.text = ""
        elif element.tag not in {"a", "b", "em", "span", "strong"}:
            element.text = f"\n{element.text or ''}"
            element.tail = f"\n{element.tail or ''}"
    return flat("\n".join(["".join(map(str, page.itertext())), *spoken]))


def read_text(text: str) -> str:
    """What a reader of the text part sees, on one line without the marks at line starts."""
    return flat(re.sub(r"(?m)^ *[|>*] ", "", text))


def of_story(story: Story) -> Iterator[str]:
    """What a story says: its lines, and the sentences of its texts."""
    yield from (story.name, story.kicker or "", story.highlight or "", story.source or "")
    yield from _SENTENCE_END.split(story.blurb or "")
    if story.quote:
        yield from (*_SENTENCE_END.split(story.quote.text), story.quote.by)
    if story.image:
        yield from (story.image.alt, story.image.credit)
    if story.background:
        yield story.background.title
    yield from (link.label for link in story.links if link.language is None)
    if story.download:
        yield story.download.label


def of_issue(issue: Issue) -> Iterator[str]:
    """What an issue says."""
    yield from (issue.title, issue.subject, issue.preheader)
    yield from MERGE_FIELD.split(issue.greeting or "")[::3]
    yield from _SENTENCE_END.split(issue.introduction or "")
    yield from (section.title for section in issue.sections)
    yield from (post.text for post in issue.posts)
    for story in issue.stories:
        yield from of_story(story)


def _labels_of_elsewhere(issue: Issue) -> Iterator[str]:
    """Labels in the language that they lead to: “Le rapport en français”."""
    return (link.label for story in issue.stories for link in story.links if link.language)


def _of_theme(language: str) -> Iterator[str]:
    """The theme's set phrases, cut where something is put in."""
    file = ROOT / "templates" / "default" / "words" / f"{language}.toml"
    for key, phrase in tomllib.loads(file.read_text(encoding="utf-8")).items():
        if not key.startswith(("page_", "notice_")):  # those stand in no newsletter
            yield from re.split(r"\{\w+\}", phrase)


def of_organisation(organisation: Organisation) -> Iterator[str]:
    """What the organisation says of itself."""
    yield from (organisation.name, organisation.about or "", organisation.postal_address)
    yield from (link.label for link in (*organisation.follow, *organisation.direct_access))


def _of_calendar(language: str) -> Iterator[str]:
    yield long_date(march("en").loaded.issue.date, language)
    yield from (language_name(tag, language) for tag in WORDS)
    yield from Locale(language).months["format"]["wide"].values()
