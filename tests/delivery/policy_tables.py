"""The tables of docs/delivery.md, made from delivery/policy.py.

Run: ``python -m tests.delivery.policy_tables`` to write them anew.
"""

import re
from collections.abc import Iterable

from newsletter.delivery import evidence, policy
from newsletter.delivery.policy import RULES, Brake, Rule
from newsletter.ledger.states import TRANSITIONS, Step

from tests.support.tools import ROOT

PAGE = ROOT / "docs" / "delivery.md"
_BELOW = re.compile(r"\A(?:\|.*\n)*\n*")


def answers() -> str:
    """What each answer leads to."""
    rows = (
        (
            rule.meaning,
            rule.example,
            f"`{_state(rule)}`"
            + (", not counted as an attempt" if rule.step is Step.RETURN else ""),
            "stops" if rule.stops else "waits, then goes on more slowly" if rule.throttles
            else "goes on",
        )
        for rule in dict.fromkeys(RULES.values())
    )  # fmt: skip
    return _table(("the server says", "example", "the recipient", "the run"), rows)


def brakes() -> str:
    """What many bad answers together lead to."""
    rows = (
        (
            f"{evidence.IN_A_ROW} recipients at {evidence.DOMAINS} domains or more were refused in "
            f"the same words, and nobody was accepted meanwhile ({evidence.AT_FIRST} while nobody "
            f"was at all; {evidence.IN_A_ROW_PERHAPS} where the words or the code may mean the "
            "recipient, or differ). They are put back into the queue. Words that name "
            "the recipient's mailbox do not count",
            Brake.STOP,
        ),
        (
            "as many were deferred in the same words, likewise. A first attempt does not count "
            "where the server greylists. They are put back into the queue",
            Brake.WAIT,
        ),
        (
            f"{evidence.AT_ONE_DOMAIN} at one domain were deferred in the same words, and nobody "
            "there was accepted meanwhile. They are put back into the queue",
            Brake.WAIT,
        ),
        (f"{policy.UNFIT_IN_A_ROW} messages in a row could not be made", Brake.STOP),
        (
            f"more than `stop_above` of at least {policy._JUDGED_FIRST} were refused in a run",
            Brake.HOLD,
        ),
        ("more than `stop_above` of the seeds or the sample were refused", Brake.HOLD),
        (
            f"more than {policy._DOMAIN_IN_A_ROW} in a row were refused at one domain. Those "
            "refused since it last accepted a recipient are put back into the queue",
            Brake.DOMAIN,
        ),
        (
            f"of at least {policy._DOMAIN_JUDGED_FIRST} at one domain, more than "
            f"{policy._DOMAIN_SHARE:.0%} were refused with a policy code (5.7.x) or in the same "
            "words that cannot mean the recipient. They are put back likewise",
            Brake.DOMAIN,
        ),
    )
    return _table(("when", "then"), ((when, brake.value) for when, brake in rows))


def written(page: str) -> str:
    """``page`` with its tables made anew, each behind its mark."""
    for name, table in (("answers", answers()), ("brakes", brakes())):
        mark = f"<!-- {name}, by tests/delivery/policy_tables.py -->\n\n"
        before, found, after = page.partition(mark)
        assert found, mark
        page = f"{before}{mark}{table}\n{_BELOW.sub('', after, count=1)}"
    return page


def _state(rule: Rule) -> str:
    (state,) = set(TRANSITIONS[rule.step].values())
    return state


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    cells = tuple(head)
    lines = (cells, ("---",) * len(cells), *rows)
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
