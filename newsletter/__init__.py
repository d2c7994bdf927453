"""An email newsletter tool: what was approved is what is sent, to everyone once."""

__version__ = "0.1.0"
