"""What providers are given to keep with a mail, and are asked for later. No I/O."""

from __future__ import annotations

import hashlib
import re

from newsletter.transports.vendor import Letter

_UNFIT = re.compile(r"[^A-Za-z0-9_-]")


def reference(letter: Letter) -> str:
    """Our name for this letter; another one each time a person has it mailed again.

    Else what a provider tells of the first would be taken for news of the second.
    """
    again = letter.message.resends
    return f"{letter.content.reference}-{again}" if again else letter.content.reference


def campaign(letter: Letter) -> str:
    """A name for the campaign: letters, digits, hyphens and underscores, at most 128.

    No other list or sender that uses the same account has the same.
    """
    content = letter.content
    name = content.reference.rpartition(".")[0] or content.reference
    whose = "\n".join([name, content.from_address, content.headers.get("List-ID", "")])
    digest = hashlib.sha256(whose.encode()).hexdigest()[:16]
    return f"{_UNFIT.sub('-', name)[:100]}_{digest}"
