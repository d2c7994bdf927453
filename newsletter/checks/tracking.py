"""Links that watch who follows them: marked addresses and detours. Nothing is fetched."""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Iterator

from newsletter.checks.check_input import CheckInput
from newsletter.checks.contacts import link_host
from newsletter.checks.finding import Flaw, Location, Severity, check
from newsletter.checks.page import addresses_in
from newsletter.web_addresses import canonical

_FAMILIES = ("utm_", "mtm_", "piwik_", "hsa_", "bsft_", "trk_")
"""How the names of marks begin that come in families."""
# What Firefox (privacy.query_stripping.strip_list) and Brave (query_filter) take out of
# addresses, and what mailing services and analytics add, in this order: advertisers,
# mailing services, services for campaigns and charities, analytics. Names that sites
# also use for other things (id, ref, source, cid) are left out.
_MARKS = """
    dclid fbclid gad_source gbraid gclid gclsrc igsh igshid li_fat_id msclkid rdt_cid rb_clickid
    srsltid ttclid twclid wbraid yclid ymclid

    __hsfp __hssc __hstc __s _hsenc _hsmi _ke _kx ck_subscriber_id ct_params dm_i dm_t elqak elqat
    elqaid elqcampaignid elqtrack elqtrackid et_rid hsctatracking mc_cid mc_eid mkt_tok
    ml_subscriber ml_subscriber_hash oly_anon_id oly_enc_id sfmc_id spjobid spmailingid spreportid
    spuserid ss_campaign_id ss_campaign_name ss_email_id ss_source vero_conv vero_id wickedid

    akid ceid ea.tracking.id emci emdi nvep

    _ga _gl _openstat at_campaign at_medium ns_campaign ns_mchannel ns_source pk_campaign
    pk_content pk_keyword pk_kwd pk_medium pk_source s_cid s_kwcid wt.mc_id wt_mc xtor
"""
_SHORTENERS = """
    amzn.to bit.ly bitly.com buff.ly cutt.ly dlvr.it fb.me goo.gl is.gd j.mp lnkd.in ow.ly rb.gy
    rebrand.ly s.id shorturl.at t.co t.ly tiny.cc tinyurl.com trib.al v.gd
"""
_MAIL_FILTERS = """
    linkprotect.cudasvc.com safelinks.protection.outlook.com url.emailprotection.link
    urldefense.com urldefense.proofpoint.com
"""
_CLICK_COUNTERS = """
    acemlna.com awstrack.me dripemail2.com e2ma.net emltrk.com exct.net hubspotlinks.com
    list-manage.com mailchi.mp mandrillapp.com mjt.lu mlsend.com pstmrk.it rs6.net sendgrid.net
"""
"""Hosts of mailing services through which their links lead."""
_LOOKS_LIKE_COUNTER = re.compile(
    r"https?://(?:"
    r"(?:clicks?|trk|track|tracking)\.[^/?#]+\.[^/?#]+"
    r"|(?:[^/?#]+\.)?(?:cmail|convertkit-mail|createsend|klclick|sendib[mt])\d*\.com(?=[:/?#]|$)"
    r"|[^/?#]+/(?:ls/click|wf/click|track/click)\b)",
    re.IGNORECASE,
)
_EXITS = re.compile(
    r"https?://(?:lm?\.(?:facebook|instagram|messenger)\.com\b|(?:[^/?#]+\.)?"
    r"(?:google\.com/url|facebook\.com/l\.php|youtube\.com/redirect|linkedin\.com/redir"
    r"|substack\.com/redirect|vk\.com/away\.php)\b)",
    re.IGNORECASE,
)
"""Pages of large sites that only lead on."""


def _addresses(given: CheckInput) -> Iterator[tuple[str, ...]]:
    """Every web address of the mail, in all its spellings, the HTML's first."""
    contacts = given.contacts
    everything = (
        *contacts.links,
        *(load.address for load in contacts.loads),
        *addresses_in(given.edition.text),
    )
    spellings: dict[str, dict[str, None]] = {}
    for url in everything:
        if link_host(url):
            spellings.setdefault(canonical(url), {})[url] = None
    for same in spellings.values():
        yield tuple(same)


def _place(given: CheckInput, spellings: tuple[str, ...]) -> Location:
    """Where an address was written; the HTML encodes what an editor does not."""
    places = (given.place_of(url) for url in spellings)
    return next((place for place in places if place != given.theme_place), given.theme_place)


@check(
    "privacy-tracking",
    why=(
        "Tracking parameters tell the site and its analytics service where readers come from, or "
        "even who they are."
    ),
)
def privacy_tracking(given: CheckInput) -> Iterator[Flaw]:
    """No utm_source and its like in any address."""
    for url, *others in _addresses(given):
        marks = [f"“{name}”" for name in marks_in(url)]
        if marks:
            yield Flaw(
                Severity.ERROR,
                f"The address {url} has the tracking parameter{'s' * (len(marks) > 1)} "
                f"{', '.join(marks)}.",
                f"Write {without_marks(url)} and check that it opens the same page.",
                _place(given, (url, *others)),
            )


def marks_in(url: str) -> tuple[str, ...]:
    """The names of tracking marks in an address, each once, as they are written."""
    pairs = (pair for part in _split(url)[1:] for pair in part.split("&"))
    return tuple(dict.fromkeys(_name(pair) for pair in pairs if _is_mark(pair)))


def without_marks(url: str) -> str:
    """The address without its tracking marks; all else stays as it is written."""
    page, query, fragment = _split(url)
    kept_query, kept_fragment = (
        "&".join(pair for pair in part.split("&") if not _is_mark(pair))
        for part in (query, fragment)
    )
    question = "?" if kept_query else ""
    return f"{page}{question}{kept_query}" + (f"#{kept_fragment}" if kept_fragment else "")


def _split(url: str) -> tuple[str, str, str]:
    """Page, query and fragment; marks stand in either of the last two."""
    rest, _, fragment = url.partition("#")
    page, _, query = rest.partition("?")
    return page, query, fragment


def _name(pair: str) -> str:
    return urllib.parse.unquote_plus(pair.partition("=")[0])


def _is_mark(pair: str) -> bool:
    name = _name(pair).lower()
    return name in _MARKS.split() or name.startswith(_FAMILIES)


@check(
    "privacy-detour",
    why=(
        "The operator of the redirect learns who follows the link and can change where it leads, "
        "and readers cannot see where it ends."
    ),
)
def privacy_detour(given: CheckInput) -> Iterator[Flaw]:
    """A link through a shortener, a service that counts clicks, or somebody's mail filter."""
    for url, *others in _addresses(given):
        detour = _detour(url)
        if detour:
            end = _end(url)
            yield Flaw(
                Severity.WARNING,
                f"The link {url} {detour}.",
                f"It leads to {end} – write that."
                if end
                else "Open it in a private window and write the address of the final page.",
                _place(given, (url, *others)),
            )


def _detour(url: str) -> str:
    """What stands between the reader and the page; empty if nothing is known."""
    host = link_host(url)
    if _is_below(host, _MAIL_FILTERS):
        return "was rewritten by a mail filter for the one person who got it, and may name them"
    if _is_below(host, _SHORTENERS):
        return f"goes through the shortener {host}"
    if _is_below(host, _CLICK_COUNTERS) or _LOOKS_LIKE_COUNTER.match(url):
        return f"goes through {host}, which counts clicks and may identify the reader"
    return f"goes through {host}, which records who follows it" if _EXITS.match(url) else ""


def _is_below(host: str, sites: str) -> bool:
    name = host.partition(":")[0]
    return any(f".{name}".endswith(f".{site}") for site in sites.split())


def _end(url: str) -> str:
    """Where a detour ends, if its address says so, without tracking marks."""
    values = (value for _, value in urllib.parse.parse_qsl(_split(url)[1]))
    return next((without_marks(value) for value in values if link_host(value)), "")
