"""One whole letter as a file, so that a change of its bytes is seen and meant.

``UPDATE_GOLDEN=1`` writes the file anew; read the difference before you commit it.
"""

import os
from pathlib import Path

from tests.message.samples import letter

GOLDEN = Path(__file__).parent / "golden" / "letter.eml"


def test_the_letter_has_not_changed() -> None:
    raw = letter().as_bytes()
    if os.environ.get("UPDATE_GOLDEN") == "1":
        GOLDEN.write_bytes(raw)
    assert GOLDEN.read_bytes() == raw
