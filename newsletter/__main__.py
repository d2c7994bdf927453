"""``python -m newsletter``: the command line."""

from newsletter.cli import main

main()
