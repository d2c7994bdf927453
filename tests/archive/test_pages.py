"""The pages: what is on them, that strangers find no fault in them, and that they know nobody."""

import base64
import hashlib
import itertools
import json
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

import pytest
import yaml
from lxml import etree
from newsletter.audience.reader import read_roster
from newsletter.config import Audience, load_settings
from newsletter.project import Project as Opened
from newsletter.project.compile import compile_issue
from newsletter.render.slots import TOKEN
from newsletter.theme_files import load_theme
from PIL import Image

from tests.archive.built import DOCUMENT, MARCH, URL, Archive, build, example
from tests.cli.support import stopped
from tests.support.project import Project
from tests.support.tools import ROOT, npm_program

SETTINGS = load_settings(ROOT / "newsletter.toml")
THEME = load_theme(ROOT / "templates" / "default")
XHTML = "{http://www.w3.org/1999/xhtml}"
INDEXES = {"en": "index.html", "ar": "ar.html", "es": "es.html", "fr": "fr.html"}
PAGES = [*MARCH, "2016-12.fr.html", "2015-06.en.html", *INDEXES.values()]


def alternates(page: Any) -> dict[str, str]:
    """The addresses of a page's languages, by language; each named once."""
    found = page.xpath("//head/link[@rel='alternate'][not(@type)]")
    by_language = {link.get("hreflang"): link.get("href") for link in found}
    assert len(found) == len(by_language)
    return by_language


def words(element: Any) -> str:
    return " ".join(element.text_content().split())


def described(page: Any) -> dict[str, str]:
    """``property`` or ``name`` of each ``meta``, and its content."""
    return {
        meta.get("property") or meta.get("name"): meta.get("content")
        for meta in page.xpath("//meta[@property or @name]")
    }


# Valid


def test_a_validator_finds_no_error_in_any_page(archive: Archive, tmp_path: Path) -> None:
    settings = tmp_path / "htmlvalidate.json"
    rules = {
        # The tests' own odd issue: a long title, and an id that begins with a digit, as it may.
        "long-title": "off",
        "valid-id": ["error", {"relaxed": True}],
    }
    settings.write_text(
        json.dumps({"root": True, "extends": ["html-validate:recommended"], "rules": rules})
    )
    done = subprocess.run(
        [npm_program("html-validate"), "--config", str(settings), "--formatter", "json", *PAGES],
        cwd=archive.folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert [] == json.loads(done.stdout), done.stdout + done.stderr


def test_every_page_is_there_and_no_other(archive: Archive) -> None:
    assert sorted(PAGES) == archive.names(".html")


# Links


@pytest.mark.parametrize("name", PAGES)
def test_every_link_within_the_archive_leads_to_a_file_and_an_anchor(
    archive: Archive, name: str
) -> None:
    page = archive.page(name)
    addresses = page.xpath("//@href | //@src | //meta[@property='og:image']/@content")
    within = [urljoin(URL + name, address) for address in addresses]
    within = [address.removeprefix(URL) for address in within if address.startswith(URL)]
    assert len(within) > 10
    for address in within:
        path, _, anchor = address.partition("#")
        file = archive.folder / unquote(path or "index.html")
        assert file.is_file(), address
        if anchor:
            assert archive.page(unquote(path)).get_element_by_id(anchor) is not None


@pytest.mark.parametrize("name", PAGES)
def test_links_in_a_page_are_relative_so_that_it_works_from_a_disk(
    archive: Archive, name: str
) -> None:
    page = archive.page(name)
    loaded = page.xpath("//@src | //link[@rel='stylesheet']/@href | //header//a/@href")
    assert loaded
    assert [] == [address for address in loaded if urlsplit(address).scheme]
    assert not page.xpath(f"//body//@href[starts-with(., '{URL}')]")


def test_the_languages_of_an_issue_lead_to_one_another(archive: Archive) -> None:
    for name in MARCH:
        page = archive.page(name)
        links = page.xpath("//header//nav//a")
        assert set(MARCH) == {link.get("href") for link in links}
        for link in links:
            language = link.get("href").split(".")[1]
            assert language == link.get("lang") == link.get("hreflang")
        (current,) = page.xpath("//header//a[@aria-current='page']/@href")
        assert name == current
        assert {one.split(".")[1]: URL + one for one in MARCH} | {
            "x-default": f"{URL}2017-03.en.html"
        } == alternates(page)
    assert {} == alternates(archive.page("2016-12.fr.html")), "it has no other language"


# What is on a page


@pytest.mark.parametrize("name", MARCH)
def test_language_and_direction_are_those_of_the_issue(archive: Archive, name: str) -> None:
    language = name.split(".")[1]
    root = archive.page(name)
    assert (language, "rtl" if language == "ar" else "ltr") == (root.get("lang"), root.get("dir"))


def test_a_page_shows_all_that_the_issue_says(archive: Archive) -> None:
    issue = yaml.safe_load((ROOT / "issues" / "2017-03.yaml").read_text(encoding="utf-8"))
    page = archive.page("2017-03.en.html")
    assert len(issue["stories"]) == len(page.xpath("//article"))
    for story in issue["stories"]:
        article = page.get_element_by_id(story["id"])
        assert "article" == article.tag
        said = words(article)
        assert story["headline"] == words(article.xpath("./h2 | ./h3")[0])
        for text in (story.get("kicker"), story.get("highlight"), story.get("source")):
            assert text is None or text in said
        if "quote" in story:
            assert story["quote"]["by"] == words(article.xpath(".//figcaption/cite")[0])
            assert article.xpath(".//figure/blockquote/p")
        if "image" in story:
            (picture,) = article.xpath(".//figure/img")
            assert story["image"]["alt"] == picture.get("alt")
            assert story["image"]["credit"] == words(article.xpath(".//figure/figcaption")[0])
        for link in [*story.get("links", []), *filter(None, [story.get("download")])]:
            assert link["url"] in article.xpath(".//@href")
            assert link["label"] in said


def test_a_background_stands_in_full_where_the_mail_links_to_it(archive: Archive) -> None:
    background = archive.page("2017-03.en.html").get_element_by_id("askarov-background")
    assert "Background: seven years of the Askarov case" == words(background.xpath("./h4")[0])
    assert 4 == len(background.xpath("./p"))
    assert words(background).endswith(
        "Both are members of the EU human rights defenders mechanism."
    )


def test_the_contents_lead_to_every_story_in_reading_order(archive: Archive) -> None:
    for name in MARCH:
        page = archive.page(name)
        listed = page.xpath("//nav[@class='contents']//li/a/@href")
        assert [f"#{article.get('id')}" for article in page.xpath("//article")] == listed


@pytest.mark.parametrize("name", PAGES)
def test_headings_leave_out_no_level_and_there_is_one_title(archive: Archive, name: str) -> None:
    page = archive.page(name)
    levels = [int(h.tag[1]) for h in page.iter("h1", "h2", "h3", "h4", "h5", "h6")]
    assert (1, 1) == (levels[0], levels.count(1))
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_a_story_in_another_language_says_so_and_speaks_it_throughout(archive: Archive) -> None:
    article = archive.page("2016-12.fr.html").get_element_by_id("arabic")
    assert ("ar", "rtl") == (article.get("lang"), article.get("dir"))
    assert "المصدر: مراسلتنا" in words(article)


def test_markdown_and_markup_in_an_issue_can_do_no_harm(archive: Archive) -> None:
    article = archive.page("2016-12.fr.html").get_element_by_id("tableau")
    assert "Un tableau <b>large</b> & un titre" == words(article.xpath("./h2")[0])
    assert ["left", "right"] == article.xpath(".//thead//th/@class")
    assert "« des guillemets »" in words(article).replace("\u00a0", " ")
    assert not archive.page("2016-12.fr.html").xpath("//@style")


def test_pictures_tell_their_size_and_wait_below_the_fold(archive: Archive) -> None:
    pictures = archive.page("2017-03.en.html").xpath("//img")
    assert 7 == len(pictures)
    for place, picture in enumerate(pictures):
        with Image.open(archive.folder / picture.get("src")) as file:
            assert file.size == (int(picture.get("width")), int(picture.get("height")))
        assert (None if place == 0 else "lazy") == picture.get("loading")


def test_a_document_can_be_downloaded_under_its_own_name(archive: Archive) -> None:
    (address,) = archive.page("2016-12.fr.html").xpath("//article//@href[starts-with(., 'files/')]")
    file = archive.folder / unquote(address)
    assert (DOCUMENT, b"%PDF-1.4 a guide") == (file.name, file.read_bytes())


def test_networks_and_chat_programs_find_title_picture_and_date(archive: Archive) -> None:
    meta = described(archive.page("2017-03.en.html"))
    assert f"March 2017 · {SETTINGS.list.name}" == meta["og:title"]
    assert meta["description"] == meta["og:description"]
    assert meta["og:description"].startswith("A mock retrial in Kyrgyzstan")
    assert f"{URL}2017-03.en.html" == meta["og:url"]
    assert ("article", "en_GB", "2017-03-31") == (
        meta["og:type"], meta["og:locale"], meta["article:published_time"],
    )  # fmt: skip
    with Image.open(archive.folder / meta["og:image"].removeprefix(URL)) as file:
        assert file.size == (int(meta["og:image:width"]), int(meta["og:image:height"]))
    assert meta["og:image:alt"].startswith("Drawing of Tbilisi")
    assert "summary_large_image" == meta["twitter:card"]
    without = described(archive.page("2015-06.en.html"))
    assert "summary" == without["twitter:card"]
    assert "og:image" not in without


def test_a_page_that_lives_elsewhere_names_that_address_as_the_canonical_one(
    archive: Archive, tmp_path: Path
) -> None:
    project = example(tmp_path / "project", older=False)
    for file in (project.folder / "issues").glob("2017-03.*yaml"):
        text = file.read_text(encoding="utf-8")
        file.write_text(f"web_url: https://elsewhere.example/{file.stem}\n{text}", encoding="utf-8")
    assert 0 == build(project, "--no-pdf").returncode
    here = Archive(project, project.folder / "archive").page("2017-03.fr.html")
    assert ["https://elsewhere.example/2017-03.fr"] == here.xpath("//link[@rel='canonical']/@href")
    (usual,) = archive.page("2017-03.fr.html").xpath("//link[@rel='canonical']/@href")
    assert f"{URL}2017-03.fr.html" == usual


# Index


def test_the_index_lists_every_issue_the_newest_first_each_in_its_language(
    archive: Archive,
) -> None:
    page = archive.page("index.html")
    articles = page.xpath("//main//article")
    assert ["March 2017", 'Décembre "2016" \\ </style> & suite', "June 2015"] == [
        words(article.xpath("./h3")[0]) for article in articles
    ]
    assert [None, "fr", None] == [article.getparent().get("lang") for article in articles]
    assert "The only story of June" in words(articles[2])
    assert set(MARCH) <= set(articles[0].xpath(".//@href"))
    assert ["Latest issue", "2016", "2015"] == [
        words(heading) for heading in page.xpath("//main//h2")
    ][:3]
    feeds = page.xpath("//main//a[@type='application/atom+xml']/@href")
    assert archive.names(".atom") == feeds


def test_there_is_an_index_in_each_language_in_its_own_words(archive: Archive) -> None:
    for language, name in INDEXES.items():
        page = archive.page(name)
        phrases = THEME.words_for(language)
        direction = "rtl" if language == "ar" else "ltr"
        assert (language, direction) == (page.get("lang"), page.get("dir"))
        assert phrases.all_issues == words(page.xpath("//h1/span[@class='issue']")[0])
        assert phrases.latest == words(page.get_element_by_id("latest"))
        (march, *_) = page.xpath("//main//article")
        assert f"2017-03.{language}.html" == march.xpath("./h3/a/@href")[0]
        assert 3 == len(page.xpath("//main//article")), "those in other languages, too"
        listed = {tag: URL + file for tag, file in INDEXES.items()}
        assert {**listed, "x-default": f"{URL}index.html"} == alternates(page)
        assert set(INDEXES.values()) == set(page.xpath("//header//nav//a/@href"))
        assert [f"{URL}{name}"] == page.xpath("//link[@rel='canonical']/@href")
    for name in MARCH:
        (back,) = archive.page(name).xpath("//div[@class='strip']/p/a/@href")
        assert INDEXES[name.split(".")[1]] == back


# What the settings and the issue decide


def test_search_engines_are_asked_to_leave_it_out_where_the_settings_say_so(
    archive: Archive, tmp_path: Path
) -> None:
    assert not [name for name in PAGES if "robots" in described(archive.page(name))]
    assert "robots" not in archive.text("feed.en.atom")
    project = Project(tmp_path / "project")
    settings = project.folder / "newsletter.toml"
    settings.write_text(settings.read_text().replace("[archive]\n", "[archive]\nnoindex = true\n"))
    assert 0 == build(project, "--no-pdf").returncode
    kept = Archive(project, project.folder / "archive")
    for name in kept.names(".html"):
        assert "noindex" == described(kept.page(name))["robots"]
    (robots,) = etree.fromstring(kept.text("feed.en.atom").encode()).findall(f"{XHTML}meta")
    assert [("content", "noindex"), ("name", "robots")] == sorted(robots.attrib.items())


def fingerprint(project: Project) -> str:
    (one,) = compile_issue(Opened(project.folder), "2017-04").languages.values()
    return one.edition.fingerprint


def test_a_correction_with_its_date_is_told_on_the_page_and_in_the_feed(tmp_path: Path) -> None:
    project = Project(tmp_path / "project")
    assert 0 == build(project, "--no-pdf").returncode
    here = Archive(project, project.folder / "archive")
    assert "article:modified_time" not in described(here.page("2017-04.en.html"))
    assert here.text("feed.en.atom").count("<updated>2017-04-28T00:00:00Z</updated>") == 2
    issue = project.folder / "issues" / "2017-04.yaml"
    mail = fingerprint(project)
    issue.write_text(f"corrected: 2017-05-02\n{issue.read_text()}")
    assert fingerprint(project) == mail, "the mail says nothing of it"
    assert 0 == build(project, "--no-pdf").returncode
    page = here.page("2017-04.en.html")
    assert "2017-05-02" == described(page)["article:modified_time"]
    assert "28 April 2017 · Corrected on 2 May 2017" == words(
        page.xpath("//p[@class='dateline']")[0]
    )
    feed = here.text("feed.en.atom")
    assert feed.count("<updated>2017-05-02T12:00:00Z</updated>") == 2
    assert feed.count("<published>2017-04-28T00:00:00Z</published>") == 1


@pytest.mark.parametrize(
    ("written", "said"),
    [("soon", "“soon” is no date."), ("2017-04-27", "before the date of the issue")],
)
def test_a_correction_on_no_day_or_before_the_issue_is_refused(
    tmp_path: Path, written: str, said: str
) -> None:
    project = Project(tmp_path / "project")
    issue = project.folder / "issues" / "2017-04.yaml"
    issue.write_text(f"corrected: {written}\n{issue.read_text()}")
    stopped(build(project, "--no-pdf"), 2, "issues/2017-04.yaml", said)


# Nobody


@pytest.mark.parametrize("name", PAGES)
def test_the_policy_of_a_page_allows_its_own_files_and_nothing_else(
    archive: Archive, name: str
) -> None:
    page = archive.page(name)
    (policy,) = page.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")
    rules = dict(rule.split(" ", maxsplit=1) for rule in policy.split("; "))
    for style in page.xpath("//style/text()"):
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        rules["style-src"] = rules["style-src"].removesuffix(f" 'sha256-{digest}'")
    own = dict.fromkeys(("img-src", "style-src", "script-src"), "'self'")
    none = dict.fromkeys(("default-src", "base-uri", "form-action"), "'none'")
    assert {**own, **none} == rules
    assert "no-referrer" == described(page)["referrer"]
    # What stands before the policy is not bound by it.
    assert policy == page.xpath("//head/meta[not(@charset)]")[0].get("content")
    assert not page.xpath("//head/meta[@http-equiv]/preceding-sibling::*[not(@charset)]")


def test_nothing_in_the_archive_belongs_to_one_reader(archive: Archive) -> None:
    roster = read_roster(ROOT / "subscribers.example.csv", Audience(fields=["organisation"]))
    readers = [str(reader.address) for reader in roster.subscribers]
    names = [reader.name for reader in roster.subscribers if reader.name]
    assert 13 == len(readers)
    assert names
    for name in archive.names(".html", ".atom", ".css", ".js"):
        text = archive.text(name)
        assert not TOKEN.search(text), name
        assert "{{" not in text
        for page in ("u", "1", "leave", "preferences"):
            assert f"news.defenders.example/{page}/" not in text
        assert "nsubscribe" not in text
        assert [] == [reader for reader in readers if reader in text], name
        assert [] == [reader for reader in names if reader in text], name


def test_a_merge_field_shows_its_fallback_and_nothing_in_it_counts_as_markdown(
    archive: Archive,
) -> None:
    page = archive.page("2016-12.fr.html")
    (intro,) = page.xpath("//div[@class='intro']")
    assert "Bonjour *amie* & co, voici le numéro." == words(intro)
    assert "Pour une *amie*, un tableau et un document" == described(page)["description"]


def test_a_page_is_no_letter_so_the_greeting_is_left_out(archive: Archive) -> None:
    for name in MARCH:
        assert "{{ name | friend }}" in (ROOT / "issues" / "2017-03.yaml").read_text()
        assert "friend }}" not in archive.text(name)
    assert "Dear " not in words(archive.page("2017-03.en.html"))
    assert "Chère" not in words(archive.page("2016-12.fr.html"))
