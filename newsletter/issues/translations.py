"""Whether a translation says all that its original says, story by story. No I/O.

A reader of the French edition must miss nothing that the English one has: the
same stories in the same order, each with the same parts, pictures and links.
Only words differ, and the addresses of pages that an archive keeps in each
language (``web_url`` and the page of a background). Stories that the
translation lists under ``fallback`` are left out of all this.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

from newsletter.errors import Problem, Where
from newsletter.issues.hints import shorten
from newsletter.issues.loader import LoadedIssue
from newsletter.model import (
    MERGE_FIELD,
    BodyPart,
    Issue,
    Link,
    Part,
    Post,
    Section,
    Story,
    Translated,
    Value,
)
from newsletter.phrases import did_you_mean
from newsletter.source import Path_
from newsletter.web_addresses import canonical, find_addresses

_LEFT_OUT = frozenset({"language", "lead"})
"""Keys that an original and its translation may each have alone; others tell of them."""
_Targets = Iterator[tuple[Path_, str]]
Body = Sequence[BodyPart]


def translation_problems(original: LoadedIssue, translation: LoadedIssue) -> list[Problem]:
    """What keeps ``translation`` from standing beside ``original``, in the order of the stories.

    Each problem names the translation's file, line and story, and the place in
    the original.
    """
    pair = _Pair(original, translation)
    return [
        *_heading_problems(pair),
        *_fallback_problems(original, translation),
        *_group_problems(pair, "sections", "section"),
        *_group_problems(pair, "stories", "story"),
        *(problem for story in original.issue.stories for problem in _story_problems(pair, story)),
        *_post_problems(pair),
    ]


@dataclass(frozen=True, slots=True)
class _Pair:
    """An issue and its translation, and where each says what."""

    original: LoadedIssue
    translation: LoadedIssue

    @property
    def issues(self) -> tuple[Issue, Issue]:
        return self.original.issue, self.translation.issue

    def problem(self, what: str, path: Path_, original: Path_ | None, advice: str) -> Problem:
        """A problem at ``path`` of the translation that the original's place explains."""
        if original is not None:
            there = self.original.source.where(*original)
            advice = f"{advice} The original is in {there.file}, line {there.line}."
        return Problem(what, self.where(path), advice)

    def where(self, path: Path_) -> Where:
        item = None
        match path:
            case ("stories", int(index), *_):
                item = f"story “{shorten(self.translation.issue.stories[index].name)}”"
        return self.translation.source.where(*path, item=item)


def _heading_problems(pair: _Pair) -> Iterator[Problem]:
    """Date, lead story, and the parts around the stories."""
    original, translation = pair.issues
    if translation.date != original.date:
        yield pair.problem(
            f"The translation's date is {translation.date}, the original's {original.date}.",
            ("date",),
            ("date",),
            f"Write {original.date}.",
        )
    # Without the key the first story leads, which is the original's first.
    theirs, ours = (issue.lead or original.stories[0].id for issue in pair.issues)
    if ours != theirs:
        yield pair.problem(
            f"The translation leads with “{ours}”, the original with “{theirs}”.",
            ("lead",),
            ("lead",),
            f"Write lead: {theirs}",
        )
    if translation.contents != original.contents:
        told = str(original.contents).lower()
        what = f"The original says contents: {told}."
        yield pair.problem(what, ("contents",), ("contents",), f"Write contents: {told}")
    yield from _one_sided(pair, original, translation, (), ())
    if not _alike(original.language, translation.language):
        yield from _untranslated(pair, _own(original), _own(translation), (), ())
    sections = {section.id: section for section in translation.sections}
    for number, section in enumerate(original.sections):
        if (ours_too := sections.get(section.id)) is not None:
            here: Path_ = ("sections", translation.sections.index(ours_too), "body")
            yield from _body_problems(pair, section.body, ours_too.body, here,
                                      ("sections", number, "body"))  # fmt: skip
    path: Path_ = ("closing",)
    yield from _body_problems(pair, original.closing, translation.closing, path, path)


def _body_problems(
    pair: _Pair, original: Body, translation: Body, here: Path_, there: Path_
) -> Iterator[Problem]:
    """Parts of a list of parts: the same kinds in the same order, each with all that it says."""
    yield from _other_parts(pair, original, translation, here, there)
    theirs, ours = _values(original), _values(translation)
    yield from _differing(pair, theirs, ours, here, there)
    if not _alike(*(issue.language for issue in pair.issues)):
        yield from _untranslated(pair, theirs, ours, here, there)
    yield from _link_problems(pair, theirs, ours, here, there)


def _values(body: Body) -> list[Value]:
    return [
        replace(value, path=(number, *value.path))
        for number, part in enumerate(body)
        for value in part.parts()
    ]


def _other_parts(
    pair: _Pair, original: Body, translation: Body, here: Path_, there: Path_
) -> Iterator[Problem]:
    """The first part that only one side has, or that stands elsewhere, or that says less."""
    for number, (theirs, ours) in enumerate(zip_longest(original, translation)):
        if theirs is None:
            what = f"The original has no part “{ours.kind}” here."
            advice = "Add it there, or delete it here."
            yield pair.problem(what, (*here, number), there, advice)
        elif ours is None:
            what = f"The part “{theirs.kind}” is missing."
            yield pair.problem(what, here, (*there, number), "Translate it too.")
        elif ours.kind != theirs.kind:
            what = f"Here stands the part “{ours.kind}”, in the original “{theirs.kind}”."
            advice = "Keep the order of the original."
            yield pair.problem(what, (*here, number), (*there, number), advice)
        else:
            said = {value.path for value in ours.parts()}
            missing = [value.path for value in theirs.parts() if value.path not in said]
            if not missing:
                continue
            what = f"“{'.'.join(map(str, missing[0]))}” is missing."
            yield pair.problem(what, (*here, number), (*there, number, *missing[0]),
                               "Translate it too.")  # fmt: skip
        return


def _group_problems(pair: _Pair, group: str, noun: str) -> Iterator[Problem]:
    """Sections or stories that one side lacks, or that stand in another order."""
    theirs, ours = (_ids(getattr(issue, group)) for issue in pair.issues)
    wanted = theirs
    if group == "stories":
        wanted = [name for name in theirs if name not in pair.translation.issue.fallback]
    for name in wanted:
        if name not in ours:
            yield pair.problem(
                f"The {noun} “{name}” is missing.",
                (group,),
                (group, theirs.index(name)),
                "Translate it too."
                if group == "sections"
                else "Translate it, or list it under “fallback” to show it as the original has it.",
            )
    for index, name in enumerate(ours):
        if name not in theirs:
            yield pair.problem(
                f"The original has no {noun} “{name}”.",
                (group, index),
                None,
                f"Add it to {pair.original.source.file}, or delete it here.",
            )
    if sorted(wanted) == sorted(ours) and wanted != ours:
        index = next(n for n, (one, other) in enumerate(zip(wanted, ours, strict=True))
                     if one != other)  # fmt: skip
        yield pair.problem(
            f"Here stands the {noun} “{ours[index]}”, in the original “{wanted[index]}”.",
            (group, index),
            (group, theirs.index(wanted[index])),
            "Keep the order of the original.",
        )


def _ids(parts: Sequence[Section] | Sequence[Story]) -> list[str]:
    return [part.id for part in parts]


def _story_problems(pair: _Pair, story: Story) -> Iterator[Problem]:
    original, translation = pair.issues
    found = [n for n, each in enumerate(translation.stories) if each.id == story.id]
    if not found:
        return  # told as a missing story
    here: Path_ = ("stories", found[0])
    there: Path_ = ("stories", original.stories.index(story))
    translated = translation.stories[found[0]]
    theirs, ours = list(story.parts()), list(translated.parts())
    yield from _one_sided(pair, story, translated, here, there)
    if story.body and translated.body:
        yield from _other_parts(
            pair, story.body, translated.body, (*here, "body"), (*there, "body")
        )
    yield from _differing(pair, theirs, ours, here, there)
    yield from _language_problems(pair, story, translated, here, there)
    if not _alike(original.language_of(story), translation.language_of(translated)):
        yield from _untranslated(pair, theirs, ours, here, there)
    yield from _link_problems(pair, theirs, ours, here, there)


def _language_problems(
    pair: _Pair, story: Story, translated: Story, here: Path_, there: Path_
) -> Iterator[Problem]:
    """A story that is said to be in a language in which only a story that falls back may be."""
    if translated.language not in {None, story.language}:
        yield pair.problem(
            f"The story is in “{translated.language}”, the file in "
            f"“{pair.translation.issue.language}”.",
            (*here, "language"),
            there,
            f"Translate it, or delete it here and list “{story.id}” under “fallback”.",
        )


def _one_sided(
    pair: _Pair, original: Part, translation: Part, here: Path_, there: Path_
) -> Iterator[Problem]:
    """Parts that only one of the two has."""
    for key in original.optional():
        if key in _LEFT_OUT:
            continue
        theirs, ours = getattr(original, key), getattr(translation, key)
        if theirs is not None and ours is None:
            yield pair.problem(f"“{key}” is missing.", here, (*there, key), "Translate it too.")
        if theirs is None and ours is not None:
            advice = "Add it there, or delete it here."
            yield pair.problem(f"The original has no “{key}” here.", (*here, key), there, advice)


def _untranslated(
    pair: _Pair, theirs: Iterable[Value], ours: Iterable[Value], here: Path_, there: Path_
) -> Iterator[Problem]:
    """Texts that still are the original's, as one problem at the first of them."""
    said = {value.path: value.text for value in theirs}
    same = [
        value.path
        for value in ours
        if value.says.translated is Translated.ANEW
        and _has_words(value.text)
        and said.get(value.path) == value.text
    ]
    if not same:
        return
    *names, last = (f"“{'.'.join(map(str, path))}”" for path in same)
    what = f"{', '.join(names)} and {last} are" if names else f"{last} is"
    advice = "Translate them." if names else "Translate it."
    yield pair.problem(f"{what} not translated.", (*here, *same[0]), (*there, *same[0]), advice)


def _differing(
    pair: _Pair, theirs: Iterable[Value], ours: Iterable[Value], here: Path_, there: Path_
) -> Iterator[Problem]:
    """Values that both have and that must be the same."""
    wanted = {value.path: value.text for value in theirs}
    for value in ours:
        path, text = value.path, wanted.get(value.path, value.text)
        if value.says.translated is Translated.NEVER and text != value.text:
            what = f"“{path[-1]}” is {shorten(value.text)}, in the original {shorten(text)}."
            advice = "Keep what the original says."
            yield pair.problem(what, (*here, *path), (*there, *path), advice)


def _own(issue: Issue) -> list[Value]:
    """The issue's own texts, without those of its stories, sections and posts."""
    return [value for value in issue.parts() if value.part is issue]


def _link_problems(
    pair: _Pair, told: Iterable[Value], translated: Iterable[Value], here: Path_, there: Path_
) -> Iterator[Problem]:
    """Links: as many, to the same places, in the same languages."""
    theirs, ours = _targets(told), _targets(translated)
    advice = "Keep each link with its address and its language."
    for path, target in _surplus(theirs, ours):
        what = f"The link to {target} is missing."
        of_list = path[:-1] if isinstance(path[-1], int) else path
        yield pair.problem(what, (*here, *of_list), (*there, *path), advice)
    for path, target in _surplus(ours, theirs):
        what = f"The original has no such link to {target}."
        yield pair.problem(what, (*here, *path), there, advice)


def _targets(values: Iterable[Value]) -> list[tuple[Path_, str]]:
    """Where texts and lists lead: the place of each link, its address and language."""
    listed: list[tuple[Path_, str]] = []
    written: list[tuple[Path_, str]] = []
    for value in values:
        link = value.part
        if isinstance(link, Link) and value.says.label:
            target = f"{link.url} ({link.language})" if link.language else link.url
            listed.append((value.path[:-1], target))
        elif value.says.markdown and value.says.name:
            written += ((value.path, found) for _, _, found in find_addresses(value.text))
    return [*listed, *written]


def _surplus(ones: list[tuple[Path_, str]], others: list[tuple[Path_, str]]) -> _Targets:
    """Those of ``ones`` that ``others`` have less often."""
    left = Counter(canonical(target) for _, target in others)
    for path, target in ones:
        left[canonical(target)] -= 1
        if left[canonical(target)] < 0:
            yield path, target


def _post_problems(pair: _Pair) -> Iterator[Problem]:
    """The posts: the same ones, in the same order."""
    theirs, ours = (_posted(issue.posts) for issue in pair.issues)
    if theirs != ours:
        yield pair.problem(
            f"The translation has {len(ours)} posts, the original {len(theirs)}."
            if len(theirs) != len(ours)
            else "The posts are not those of the original.",
            ("posts",),
            ("posts",),
            "Keep the address and the network of each, and the order.",
        )


def _posted(posts: Sequence[Post]) -> list[tuple[str, str]]:
    return [(canonical(post.url), post.network) for post in posts]


def _alike(one: str, other: str) -> bool:
    """Whether texts in two languages may well be the same: in en and en-GB, in pt and pt-BR."""
    return one.partition("-")[0] == other.partition("-")[0]


def _has_words(text: str) -> bool:
    """Whether there is something to translate besides what is known of the reader."""
    return any(map(str.isalpha, MERGE_FIELD.sub("", text)))


def _fallback_problems(original: LoadedIssue, translation: LoadedIssue) -> Iterator[Problem]:
    """Ids that lead to no story of the original, or to one that is translated as well."""
    theirs = [story.id for story in original.issue.stories]
    ours = [story.id for story in translation.issue.stories]
    for index, name in enumerate(translation.issue.fallback):
        where = translation.source.where("fallback", index)
        if name not in theirs:
            yield Problem(
                f"The original has no story “{name}” to fall back to.",
                where,
                did_you_mean(name, theirs),
            )
        elif name in ours:
            line = translation.source.where("stories", ours.index(name)).line
            yield Problem(
                f"The story “{name}” falls back, and is translated on line {line} as well.",
                where,
                "Delete one of the two.",
            )
