"""The report as one page that needs nothing else: no script, no font, no request. No I/O."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from html import escape

from newsletter.ledger.states import State
from newsletter.phrases import count, people
from newsletter.report.figures import Figures, Share
from newsletter.report.plots import progress, tempo, words_for
from newsletter.report.words import EVENTS, STATES, TRIAL, ended, identity

_STYLE = """
:root { color-scheme: light dark; --ink: #1d2327; --soft: #565f66; --paper: #ffffff;
  --rule: #d5dade; --good: #1f6f50; --goodsoft: #d8ece3; --bad: #a3312a; --wait: #8a5a00;
  --doubt: #6a3d9a; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9eb; --soft: #a3abb2; --paper: #15191c;
  --rule: #363d43; --good: #6cc59d; --goodsoft: #1d3a2e; --bad: #ef8b82; --wait: #e0ac4e;
  --doubt: #c3a0ea; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 50rem; padding: 2rem 1.25rem 4rem; background: var(--paper);
  color: var(--ink); font: 1rem/1.55 system-ui, sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .25rem; }
h2 { font-size: 1.15rem; margin: 2.5rem 0 .5rem; }
p { margin: .5rem 0; } .soft { color: var(--soft); }
.verdict { font-size: 1.15rem; font-weight: 600; margin-top: 1.25rem; }
.bar { display: flex; height: 1.75rem; border-radius: .25rem; overflow: hidden; gap: 2px;
  margin: 1rem 0 .5rem; }
.bar span { min-width: 3px; }
.good { background: var(--good); } .bad { background: var(--bad); }
.wait { background: var(--wait); } .doubt { background: var(--doubt); }
.left { background: var(--soft); }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .3rem .5rem .3rem 0; border-bottom: 1px solid var(--rule);
  vertical-align: top; }
thead th { color: var(--soft); font-weight: 500; font-size: .9rem; }
td.n, th.n { text-align: right; white-space: nowrap; }
th[scope=row] { font-weight: 400; overflow-wrap: anywhere; }
td.share { width: 30%; }
td.share span { display: block; height: .8rem; margin-top: .35rem; min-width: 2px;
  border-radius: .15rem; }
.key { display: inline-block; width: .7rem; height: .7rem; border-radius: .15rem;
  margin-right: .5rem; }
svg { display: block; width: 100%; height: auto; margin: .5rem 0; }
svg text { fill: var(--soft); font: 12px system-ui, sans-serif; }
.grid { stroke: var(--rule); } .line { fill: none; stroke: var(--good); stroke-width: 2; }
.area { fill: var(--goodsoft); } .column { fill: var(--good); }
.goal { stroke: var(--ink); stroke-dasharray: 4 4; }
@media (max-width: 40rem) { .share { display: none; } svg text { font-size: 21px; }
  .runs tr { display: block; padding: .5rem 0; border-bottom: 1px solid var(--rule); }
  .runs th, .runs td { display: block; border: 0; padding: 0; } .runs thead { display: none; } }
@media print { body { max-width: none; padding: 0; } section { break-inside: avoid; } }
"""
_COLOURS = {
    State.ACCEPTED: "good",
    State.REJECTED: "bad",
    State.EXPIRED: "bad",
    State.IN_DOUBT: "doubt",
    State.SUPPRESSED: "left",
}


def page(figures: Sequence[Figures], *, title: str, made_at: datetime) -> str:
    """The page about one issue's campaigns, oldest first.

    Args:
        figures: of each campaign.
        title: of the issue.
        made_at: when the report is made.
    """
    body = "".join(part for each in figures for part in _campaign(each))
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="robots" content="noindex">\n'
        f"<title>Report: {escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n"
        "<body>\n<main>\n"
        f'<h1>{escape(title)}</h1>\n<p class="soft">What became of the send. Made '
        f"{_moment(made_at)}. “Accepted” means that the next mail server took the message over; "
        "it does not mean that it was delivered or read, and nothing in it could tell.</p>\n"
        f"{body}</main>\n</body>\n</html>\n"
    )


def _campaign(figures: Figures) -> Iterator[str]:
    tally = figures.tally
    yield f"<section><h2>Campaign {escape(figures.campaign.id)}</h2>"
    if figures.trial:
        yield f'<p class="verdict">{escape(TRIAL)}</p>'
    yield f'<p class="verdict">{escape(ended(tally))}</p><p>{escape(identity(tally))}</p>'
    yield _states(figures)
    yield "</section>"
    if figures.points:
        yield _course(figures)
    yield _bars("Why some will not get it", "Reason", figures.reasons, "bad")
    yield _bars("Where", "Domain", figures.domains, "bad", of="of those planned there")
    yield _bars("Deferred, to be retried", "Reason", figures.waiting, "wait")
    yield _doubt(figures)
    yield _more(figures)
    yield _runs(figures)


def _states(figures: Figures) -> str:
    tally = figures.tally
    there = [state for state in STATES if tally[state]]
    pieces = "".join(
        f'<span class="{_COLOURS.get(state, "wait")}" style="flex: {tally[state]} 1 0"></span>'
        for state in there
    )
    rows = "".join(
        f'<tr><th scope="row"><span class="key {_COLOURS.get(state, "wait")}"></span>'
        f'{escape(STATES[state])}</th><td class="n">{tally[state]:,}</td>'
        f'<td class="n">{_percent(tally[state], tally.planned)}</td></tr>'
        for state in there
    )
    return (
        f'<div class="bar" aria-hidden="true">{pieces}</div><table>'
        f"{_heads('State', numbers=('People', 'Share'))}<tbody>{rows}"
        f'<tr><th scope="row"><strong>planned</strong></th><td class="n"><strong>'
        f"{tally.planned:,}</strong></td><td></td></tr></tbody></table>"
    )


def _course(figures: Figures) -> str:
    began = figures.began_at
    assert began is not None
    return (
        f"<section><h2>Progress</h2><p>From {_moment(began)} on; the last answer came "
        f"{escape(words_for(figures.took.total_seconds()))} later.</p>"
        f"{progress(figures.points, figures.tally.planned, name=figures.campaign.id)}</section>"
        f"<section><h2>Accepted within {escape(words_for(figures.span_s))}</h2>"
        f"{tempo(figures.points, figures.span_s, name=figures.campaign.id)}</section>"
    )


def _bars(
    title: str, label: str, shares: Sequence[Share], colour: str, *, of: str = "of all these"
) -> str:
    if not shares:
        return ""
    most = max(share.count for share in shares)
    rows = "".join(
        f'<tr><th scope="row">{escape(share.label)}</th><td class="n">{share.count:,}</td>'
        f'<td class="n">{_percent(share.count, share.of)}</td><td class="share" aria-hidden="true">'
        f'<span class="{colour}" style="width: {share.count / most:.0%}"></span></td></tr>'
        for share in shares
    )
    return (
        f"<section><h2>{escape(title)}</h2><table>{_heads(label, numbers=('People', of))}"
        f"<tbody>{rows}</tbody></table></section>"
    )


def _doubt(figures: Figures) -> str:
    in_doubt = figures.tally[State.IN_DOUBT]
    if not in_doubt and not figures.settled_doubts:
        return ""
    words = (
        f"{count(in_doubt, 'person is', 'people are')} in doubt: nobody knows whether the next "
        "server took the message, and nobody is mailed again unless somebody says so."
        if in_doubt
        else "Nobody is in doubt any more."
    )
    if figures.settled_doubts:
        words += f" {count(figures.settled_doubts, 'doubt was', 'doubts were')} settled."
    return f"<section><h2>Doubt</h2><p>{escape(words)}</p></section>" + _bars(
        "Why it is not known", "What happened", figures.doubts, "doubt"
    )


def _more(figures: Figures) -> str:
    parts = [
        f"<li>{escape(people(number))} after {escape(count(tries, 'attempt'))}</li>"
        for tries, number in figures.attempts.items()
    ]
    text = f"<h2>Accepted</h2><ul>{''.join(parts)}</ul>" if parts else ""
    if len(figures.versions) > 1:
        items = "".join(
            f"<li>version {version}: {escape(people(number))}</li>"
            for version, number in figures.versions.items()
        )
        text += f"<h2>Corrected while it was sent</h2><ul>{items}</ul>"
    if figures.events:
        items = "".join(
            f"<li>{escape(EVENTS.get(kind, kind))}: {number:,}</li>"
            for kind, number in figures.events.items()
        )
        text += f"<h2>Learned later</h2><ul>{items}</ul>"
    return f"<section>{text}</section>" if text else ""


def _runs(figures: Figures) -> str:
    if not figures.runs:
        return ""
    rows = "".join(
        f'<tr><th scope="row">{_moment(run.started_at)}</th>'
        f"<td>{_moment(run.ended_at) if run.ended_at else 'not ended in order'}</td>"
        f"<td>{escape(run.place)}</td><td>{escape(run.ending)}</td></tr>"
        for run in figures.runs
    )
    return (
        '<section><h2>Runs</h2><table class="runs">'
        f"{_heads('Began', 'Ended', 'Through', 'How it ended')}<tbody>{rows}</tbody></table>"
        "</section>"
    )


def _heads(*words: str, numbers: Sequence[str] = ()) -> str:
    cells = [f'<th scope="col">{escape(word)}</th>' for word in words]
    cells += [f'<th class="n" scope="col">{escape(word)}</th>' for word in numbers]
    return f"<thead><tr>{''.join(cells)}</tr></thead>"


def _moment(at: datetime) -> str:
    return escape(at.astimezone().strftime("%Y-%m-%d %H:%M:%S %Z"))


def _percent(number: int, of: int) -> str:
    if not of:
        return ""
    share = number / of
    return f"{share:.0%}" if share >= 0.1 or not share else f"{share:.1%}"
