"""Words of a provider's own template language that stand in a letter by chance. No I/O.

The provider would put something else in their place, and the reader would get
what nobody approved. HTML can say the same in other characters; plain text
cannot, and is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from newsletter.errors import ConfigError, Where
from newsletter.message.model import Content

_STYLE = re.compile(r"(<style\b.*?</style\s*>)", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ForeignWords:
    """The language of one provider.

    Attributes:
        title: the provider's name.
        opener: finds the character, one each, with which a word begins; what
            makes it one stands in a lookahead.
    """

    title: str
    opener: re.Pattern[str]

    def as_written(self, content: Content) -> str:
        """The letter's HTML, which shows the same and holds no such word.

        Raises:
            ConfigError: the subject, a name or the text holds one.
        """
        for text in (content.subject, content.text, content.from_name, content.to_name):
            if found := self.opener.search(text):
                shown = text[found.start() : found.start() + 20].splitlines()[0]
                raise ConfigError(
                    f"The letter holds “{shown}” in its plain text, which {self.title} would "
                    "read as a word of its own language and replace.",
                    where=Where("newsletter.toml", item="[delivery] transport"),
                    next="Write it another way, or send by another way, such as a relay (smtp).",
                )
        if not self.opener.search(content.html):
            return content.html
        parts = _STYLE.split(content.html)
        # A character reference means nothing in a style sheet, and a space after a brace too.
        return "".join(
            self.opener.sub(lambda found: found[0] + " ", part)
            if number % 2
            else self.opener.sub(lambda found: f"&#{ord(found[0])};", part)
            for number, part in enumerate(parts)
        )
