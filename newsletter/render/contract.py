"""What each name that the templates of a mail can use is for. No I/O.

mail_vocabulary.py gives the values, template_values.py says which parts of them can be seen.
docs/theme-names.md is made from all three, and a test works each example out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Name:
    """A name for templates.

    Attributes:
        kind: what it is: ``text``, ``number``, the name of a value, or what a function takes
            and returns.
        meaning: what it is for.
        example: an expression that uses it.
        absent: what it is where there is no such thing; "" if there always is.
        files: where it can be used; "" for all templates and style sheets.
    """

    kind: str
    meaning: str
    example: str
    absent: str = ""
    files: str = ""


NAMES: Mapping[str, Name] = {
    "issue": Name("Issue", "The issue.", "issue.title"),
    "organisation": Name(
        "Organisation",
        "The table `[organisation]` of newsletter.toml, in the issue's language if translated.",
        "organisation.name",
    ),
    "sender": Name("Sender", "The table `[sender]` of newsletter.toml.", "sender.address"),
    "list_name": Name(
        "text", "The name of the list, in the issue's language if translated.", "list_name"
    ),
    "list_lang": Name("text", "The language of that name.", "list_lang"),
    "theme": Name("Theme", "The values of theme.toml.", "theme.colours.dark.ink"),
    "w": Name(
        "words",
        "The set phrases in the issue's language, `words/en.toml` and so on. Fill in what stands "
        "in braces by `format`.",
        "w.unsubscribe.format(list=list_name)",
        "a phrase that is missing is an error that names file and key",
    ),
    "words_for": Name(
        "words_for(story) → words",
        "The phrases in the story's language; in the issue's if the theme does not have it.",
        "words_for(story).source",
    ),
    "lang": Name("text", "The language of the issue.", "lang"),
    "dir": Name("text", "Its direction, `ltr` or `rtl`.", "dir"),
    "home_lang": Name("text", "The language of the texts in `organisation`.", "home_lang"),
    "own_lang": Name(
        "text",
        "The language at the top of newsletter.toml: of what a translation of `organisation` "
        "leaves out.",
        "own_lang",
    ),
    "start": Name("text", "Where lines begin: `left`, or `right` in a `rtl` issue.", "start"),
    "end": Name("text", "Where lines end.", "end"),
    "page_url": Name("text", "The issue's page on the web.", "page_url", "`none`"),
    "archive_url": Name("text", "The past issues on the web.", "archive_url", "`none`"),
    "has_preferences": Name(
        "true or false",
        "Whether readers have a preferences page: `slot_url('preferences_url')`.",
        "has_preferences",
    ),
    "picture": Name(
        "picture(story, image=none) → Picture in the mail",
        "A picture of the story as the mail shows it; without `image` the one it begins with.",
        "picture(story).src",
        "`none` if the story begins with no picture",
    ),
    "story_url": Name(
        "story_url(story) → text",
        "The story on the issue's page in the archive.",
        "story_url(story)",
        "`none` without an archive, or if the issue has its page elsewhere",
    ),
    "background_url": Name(
        "background_url(story) → text",
        "The page with the story's background.",
        "background_url(story)",
        "an error if the story has no background; ask `part.kind` before",
    ),
    "download_url": Name(
        "download_url(story, download=none) → text",
        "The address of a document; without `download` of the story's own.",
        "download_url(story)",
        "`none` if the document is attached to the mail",
    ),
    "story_index": Name(
        "story_index(story) → number",
        "The place of the story in the file, from 0.",
        "story_index(story)",
        "`-1` for an introduction or the closing",
    ),
    "src": Name(
        "src('stories', number) → text",
        "A comment in front of a story, by which errors name it. It reaches no reader.",
        "src('stories', story_index(story))",
    ),
    "merge": Name(
        "merge(text, isolate=false) → text",
        "A text with merge fields: subject, preheader, greeting. `isolate=true` puts the value "
        "into a `span` of its own direction; not in `mj-preview`.",
        "merge(issue.greeting)",
    ),
    "slot": Name(
        "slot(field, fallback='') → slot",
        "A text that differs from reader to reader. It can be printed, and nothing else; not in a "
        "style sheet.",
        "slot('name', 'friend')",
        "the fallback",
    ),
    "slot_url": Name(
        "slot_url(field) → slot",
        "The same for a whole web address: `unsubscribe_url`, which each mail needs, and "
        "`preferences_url`.",
        "slot_url('unsubscribe_url')",
    ),
    "range": Name("range(…) → numbers", "Whole numbers, as in Python.", "range(3)|join(' ')"),
    "namespace": Name(
        "namespace(a=…) → namespace",
        "Values that a loop can change: `{% set n.a = 1 %}`.",
        "namespace(a=1).a",
    ),
}
"""What every template of a mail gets."""

FILTERS: Mapping[str, Name] = {
    "url": Name("text", "An address in ASCII, for all mail programs.", "page_url|url"),
    "date": Name(
        "text",
        "A date in the issue's language, by a pattern of CLDR; takes a language, too.",
        "issue.date|date('d MMMM y')",
    ),
    "date_in_words": Name(
        "text",
        "The typed date of a fact, with hours and the name of their zone; takes a language, too.",
        "'2020-02-06 13:00/14:30 Europe/Brussels'|date_in_words",
    ),
    "language_name": Name(
        "text",
        "The name of a language, in the issue's or another one.",
        "'ru'|language_name('fr')",
    ),
    "direction": Name("text", "`ltr` or `rtl`.", "'ar'|direction"),
    "script": Name("text", "The script of most letters.", "'Отчёт'|script"),
    "markdown": Name(
        "text",
        "Markdown as XHTML: `markdown(heading=4, language=none)`. `heading` is the highest level "
        "of headings, `language` that of the text if it is not the issue's.",
        "'*Yes*'|markdown",
        files="`.mjml.j2`",
    ),
    "md_text": Name(
        "text",
        "Markdown as wrapped plain text: `md_text(width=72, opening='', closing='', "
        "language=none)`.",
        "'*Yes*'|md_text(72)",
        files="`.txt.j2`",
    ),
    "wrap": Name(
        "text",
        "Wraps to a width, with indents for the first line and the rest: "
        "`wrap(width=72, first='', rest='')`.",
        "'A line'|wrap(72, '* ', '  ')",
        files="`.txt.j2`",
    ),
    "width": Name("number", "How many columns a text takes.", "'日本'|width", files="`.txt.j2`"),
    "underline": Name(
        "text",
        "A heading with a line below it, 24 columns at most.",
        "'News'|underline('=')",
        files="`.txt.j2`",
    ),
}
"""Besides those of Jinja2."""

SET: Mapping[str, Name] = {
    "light": Name("Colours", "The light colours.", "light.ink", files="all of `.mjml.j2`"),
    "dark": Name(
        "Palette",
        "The dark colours.",
        "dark.ink",
        files="all of `.mjml.j2`, and style sheets that they include; not `inline.css`",
    ),
    "size": Name(
        "number",
        "The size of text in pixels; one more where letters are small for their size.",
        "size",
        files="all of `.mjml.j2`",
    ),
    "display": Name(
        "text",
        "The fonts of headlines; those of text in a `rtl` issue.",
        "display",
        files="all of `.mjml.j2`",
    ),
    "isolated": Name(
        "isolated(text, language=none) → text",
        "A name or title that may be in another script, in a `span` of its own direction.",
        "isolated('Отчёт', 'ru')",
        files="all of `.mjml.j2`",
    ),
    "named": Name(
        "text",
        "The name of the list, in a `span` with its language if that is not the issue's.",
        "named",
        files="all of `.mjml.j2`",
    ),
    "section": Name(
        "Section",
        "The section of the stories that follow.",
        "section.title",
        "`none` for stories without a section",
        "`section`, `story` and the looks",
    ),
    "story": Name(
        "Story",
        "The story that is shown; a section's introduction and the closing, too.",
        "story.headline",
        files="`story`, the looks, and each file for a part",
    ),
    "level": Name(
        "number",
        "The level of the story's headline: 2, or 3 below a section.",
        "level",
        files="`story`, the looks, and each file for a part",
    ),
    "between": Name(
        "true or false",
        "Whether another story stands above it in its section.",
        "between",
        files="`story` and the looks",
    ),
    "box": Name(
        "text",
        "The class of the frame that a look sets.",
        "box|default('')",
        "`none`; not defined in the lead: write `box|default(none)`",
        "`story` and each file for a part",
    ),
    "label": Name(
        "text",
        "The words that a look sets above the headline.",
        "label|default('')",
        "`none`; not defined without a look: write `label|default(none)`",
        "`story`",
    ),
    "part": Name(
        "Part",
        "The part that is shown.",
        "part.kind",
        files="each file for a part: `text`, `image`, `highlight` and so on",
    ),
    "image": Name(
        "Picture of an issue",
        "The picture that is shown: hand it to `picture(story, image)`.",
        "image.alt",
        files="`image`",
    ),
    "first": Name(
        "Link of an issue",
        "The link that is shown as a button; a list of links leaves it out.",
        "first.label",
        "`none`",
        "`button`, `links`; set it before you include `parts`",
    ),
    "each": Name(
        "Link of an issue",
        "The link whose author and note are shown.",
        "each.label",
        files="`note`",
    ),
    "own": Name(
        "module",
        "How the story's language runs, by `{% import 'partials/voice.mjml.j2' as own with context "
        "%}`, which `lead` and `story` write. `own.foreign`: whether it is in another language "
        "than the issue. `own.way`: its direction. `own.forward`: the arrow of its links. "
        "`own.opening`, `own.closing`: print them around all of the story. `own.ours`: print it "
        "into a tag that holds a phrase of `w`.",
        "own.forward",
        files="`lead`, `story`, and each file for a part",
    ),
}
"""What mail.mjml.j2 and the partials of the default theme hand on to the files they include."""

SET_IN_TEXT: Mapping[str, Name] = {
    "double": Name("text", "A line of 24 `=`.", "double[:3]", files="all of `.txt.j2`"),
    "single": Name("text", "A short line of `-`.", "single[:3]", files="all of `.txt.j2`"),
    "address": Name(
        "address(label, url, by=none, note=none) → text",
        "A label, and the address on a line of its own.",
        "address('More:', page_url)|trim",
        files="all of `.txt.j2`",
    ),
    "labelled": Name(
        "labelled(to, story) → text",
        "The label of a link, with its language if that is another.",
        "labelled(story.links[1], story)|trim",
        files="all of `.txt.j2`",
    ),
    "section": Name(
        "Section",
        "The section of the story.",
        "section.title",
        "`none` for stories without a section; not defined for the lead",
        "`story`",
    ),
    "story": Name(
        "Story", "The story.", "story.headline", files="`story`, and each file for a part"
    ),
    "own": Name(
        "words",
        "The phrases in the story's language.",
        "own.source",
        files="each file for a part",
    ),
    "part": Name("Part", "The part that is shown.", "part.kind", files="each file for a part"),
    "image": Name("Picture of an issue", "The picture.", "image.alt", files="`image`"),
}
"""The same for mail.txt.j2."""


def as_in(name: str) -> str:
    """How to write a name, in a sentence; "" if it is none of :data:`NAMES`."""
    return f"Write it as in {{{{ {NAMES[name].example} }}}}. " if name in NAMES else ""
