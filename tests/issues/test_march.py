"""The March 2017 issue: that nothing of the printed newsletter was lost in retelling."""

import re
import struct
from urllib.parse import urlsplit

import pytest
from newsletter.issues.loader import load_issue
from newsletter.model import Issue, Story

from tests.support.tools import ROOT

PATH = ROOT / "issues" / "2017-03.yaml"
PICTURES = ROOT / "issues" / "images"
FACTS = {
    "pershakova": ["Tbilisi Shelter City", "550", "10-point scale"],
    "dulal": ["46", "1 February", "2011", "25 September 2016", "84", "Eight", "14 years"],
    "avenir-jeunes": ["Avenir Jeunes de l’Ouest", "January", "six months", "550"],
    "askarov": ["24 January 2017", "15 February", "Belhassen", "Staberock", "Baybolov", "1997"],
    "cambodia": ["45/2016", "Ny Chakrya", "Ny Sokha", "Yi Soksan", "Nay Vanda", "Lim Mony"],
    "oaxaca-mission": ["Damián Gallardo Martínez", "Enrique Guerrero Aviña", "Librado Baños"],
    "tarahumara": ["Isidro Baldenegro", "Juan Ontiveros", "Isela González", "34th", "Forst"],
    "veracruz": ["99", "June 2016", "2 February", "Yunes", "Duarte"],
    "honduras-report": ["Berta Cáceres", "16", "17", "3,064", "1 December", "Panama City"],
    "lopez-lone": ["López Lone", "Anelay", "PBI Honduras", "three UN rapporteurs"],
    "zimbabwe": ["25", "three days", "ZOYP", "2018"],
    "syria-training": ["18 and 19 February", "Sophie Nivelle Cardinale", "Hadi Abdullah, 29"],
    "oaxaca-training": ["37", "Consorcio Oaxaca", "EU Guidelines"],
    "ilga": ["700", "101", "28th", "nine", "20 Rainbow Talks", "25"],
    "kampala": ["21 and 22 February", "Chairperson", "African Center for Justice"],
}


@pytest.fixture(scope="module")
def issue() -> Issue:
    return load_issue(PATH).issue


def everything(story: Story) -> str:
    return " ".join(re.findall(r'[^"]+', story.model_dump_json())).replace("\\n", " ")


def test_all_fifteen_stories_are_there(issue: Issue) -> None:
    assert {story.id for story in issue.stories} == set(FACTS)
    assert len(issue.reading_order) == 15
    assert issue.reading_order[0].id == "pershakova"


@pytest.mark.parametrize("story_id", FACTS)
def test_a_story_keeps_its_facts(issue: Issue, story_id: str) -> None:
    text = everything(next(story for story in issue.stories if story.id == story_id))

    assert [fact for fact in FACTS[story_id] if fact not in text] == []


def test_what_the_print_had_beside_its_texts_is_there(issue: Issue) -> None:
    stories = {story.id: story for story in issue.stories}
    credits_given = {story.image.credit for story in issue.stories if story.image}

    assert stories["askarov"].background is not None
    assert {link.language for link in stories["askarov"].links} == {"en", "ru"}
    assert {link.language for link in stories["veracruz"].links} == {"es", "fr", "en"}
    assert stories["tarahumara"].download is not None
    assert {s.id for s in issue.stories if s.source} == {"askarov", "veracruz", "honduras-report"}
    assert {s.id for s in issue.stories if s.quote} == {"pershakova", "askarov", "honduras-report"}
    assert any("Tbilisi Shelter City" in name for name in credits_given)
    assert any("Jacuzzi News" in name for name in credits_given)
    assert {post.network for post in issue.posts} == {"Twitter"}


def test_every_story_can_be_read_on(issue: Issue) -> None:
    assert [story.id for story in issue.stories if not story.links] == []


def test_every_address_is_on_an_example_domain() -> None:
    hosts = {
        urlsplit(url).hostname or "" for url in re.findall(r"https?://\S+", PATH.read_text("utf-8"))
    }

    assert [host for host in hosts if not host.endswith(".example")] == []


def test_the_texts_are_as_long_as_a_mail_can_bear(issue: Issue) -> None:
    lengths = {story.id: len((story.blurb or "").split()) for story in issue.stories}

    assert {name: n for name, n in lengths.items() if not 60 <= n <= 130} == {}
    assert len(issue.subject) <= 50
    assert 40 <= len(issue.preheader) <= 100


@pytest.mark.parametrize("name", sorted(file.name for file in PICTURES.iterdir()))
def test_a_picture_is_small_sharp_and_tells_nothing_of_its_maker(name: str) -> None:
    raw = (PICTURES / name).read_bytes()
    segments = jpeg_segments(raw)
    frame = next(body for marker, body in segments if marker in {0xC0, 0xC2})
    height, width = struct.unpack(">HH", frame[1:5])

    assert (width, height) == (1120, 560)
    assert len(raw) < 60_000
    # APP0 is JFIF's own; EXIF, XMP, IPTC and comments live in the others.
    assert [marker for marker, _ in segments if marker in {*range(0xE1, 0xF0), 0xFE}] == []


def jpeg_segments(raw: bytes) -> list[tuple[int, bytes]]:
    """Markers and contents up to the picture's own data (ITU-T T.81, annex B)."""
    segments = []
    at = 2
    while raw[at + 1] != 0xDA:
        length = int.from_bytes(raw[at + 2 : at + 4], "big")
        segments.append((raw[at + 1], raw[at + 4 : at + 2 + length]))
        at += 2 + length
    return segments
