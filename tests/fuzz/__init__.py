"""Fuzzing of every parser that reads what others wrote.

``python -m tests.fuzz`` runs each target for a while; ``make fuzz`` for long. A
short run is part of the tests.
"""
