"""The application: what terminal, preview and tests call. Nothing here prints or asks.

A :class:`Project` is the folder that holds newsletter.toml. Every other module
is one thing that can be done with it: functions that take values and return
values. What takes long reports its progress to a callback.
"""

from newsletter.project.project import Project

__all__ = ["Project"]
