"""The command line: parse, wire, call one function, print.

Only this package prints, and only here are the parts put together.
"""

from __future__ import annotations

import sys

_INTERRUPTED = 130


def main() -> None:
    """Run the program. Ctrl-C ends it with a sentence, also while it is being loaded."""
    try:
        from newsletter.cli.app import main as run

        run()
    except KeyboardInterrupt:
        code = _INTERRUPTED
    except SystemExit as ended:
        if ended.code != _INTERRUPTED:  # what typer makes of Ctrl-C
            raise
        code = _INTERRUPTED
    print("\nStopped by Ctrl-C. “newsletter status” shows what was sent.", file=sys.stderr)
    sys.exit(code)
