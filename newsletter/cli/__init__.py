"""The command line: parse, wire, call one function, print.

Only this package prints, and only here are the parts put together.
"""

from newsletter.cli.app import main

__all__ = ["main"]
