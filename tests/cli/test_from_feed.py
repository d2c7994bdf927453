"""``new --from-feed``: a draft from whatever a real server sends."""

import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from newsletter.errors import InputError
from newsletter.issues.feed_entries import MOST_STORIES, read_feed, stories_of
from newsletter.issues.feed_text import markdown_of_html, markdown_of_text, plain_line
from newsletter.issues.loader import load_issue
from newsletter.model import Issue
from newsletter.project import feed_draft
from newsletter.render import markdown
from newsletter.render.plaintext import TextLayout

from tests.cli.support import stopped, went_well
from tests.support.project import Project

Answer = tuple[int, Mapping[str, str], bytes]
HOSTILE = """\
<p onclick="steal()">First <b>words</b> &amp; 2 * 3 * 4 of [a](javascript:alert(1)).</p>
<script>alert("never")</script><style>p {}</style><iframe src="https://spy.example/">no</iframe>
<ul><li>One</li><li><a href="/more">Two</a></li></ul>
# no heading {{ name }} &lt;script&gt;
<img src="https://spy.example/pixel.gif"><a href="javascript:alert(2)">Three</a>
<form><input value="x"></form>"""


def rss(items: str, *, title: str = "A blog") -> bytes:
    return (
        f'<?xml version="1.0" encoding="utf-8"?><rss version="2.0"><channel><title>{title}</title>'
        f"<link>https://blog.example/</link>{items}</channel></rss>"
    ).encode()


def item(title: str = "", link: str = "", text: str = "", date: str = "", guid: str = "") -> str:
    kept = {"title": title, "link": link, "description": f"<![CDATA[{text}]]>" * bool(text),
            "pubDate": date, "guid": guid}  # fmt: skip
    return "<item>" + "".join(f"<{k}>{v}</{k}>" for k, v in kept.items() if v) + "</item>"


@contextmanager
def serving(answer: Callable[[str], Answer]) -> Iterator[str]:
    """A server on a free port; yields its address without a slash at the end."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, body = answer(self.path)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,)).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project(tmp_path_factory.mktemp("feed") / "project")


def issue(project: Project, name: str) -> Issue:
    return load_issue(project.folder / "issues" / f"{name}.yaml").issue


def drafted(content: bytes) -> str:
    """The stories that a feed gives, without a server."""
    return stories_of(read_feed(content, "https://blog.example/feed/").entries)


def test_a_feed_becomes_an_issue_that_passes_the_checks(project: Project) -> None:
    feed = rss(
        item("Older", "/older", "<p>Of January.</p>", "Mon, 02 Jan 2017 10:00:00 GMT")
        + item("Newer: 100 % &amp;amp; more", "https://blog.example/newer", HOSTILE,
               "Wed, 01 Feb 2017 10:00:00 GMT")
    )  # fmt: skip
    with serving(lambda _: (200, {"Content-Type": "application/rss+xml"}, feed)) as url:
        done = project.run("new", "2017-05", "--from-feed", f"{url}/feed/")
    went_well(done, "2017-05.yaml is ready, with 2 stories from the feed.")
    newer, older = issue(project, "2017-05").stories
    assert ("Newer: 100 % & more", "older") == (newer.headline, older.id)
    assert [f"{url}/older"] == [link.url for link in older.links]
    checked = project.run("check", "2017-05")
    assert checked.returncode == 0, checked.stdout
    rendered = project.run("render", "2017-05", "--out", "build")
    went_well(rendered)
    (html,) = (project.folder / "build").rglob("2017-05*.html")
    page = html.read_text()
    assert "Two</a>" in page
    assert "2 * 3 * 4" in page
    assert "&lt;script&gt;" in page
    for never in ("steal", "never", "spy.example", "<script", 'href="javascript'):
        assert never not in page


def test_redirects_are_followed_to_the_feed_and_no_further_than_five(project: Project) -> None:
    def answer(path: str) -> Answer:
        if path == "/feed/?a=1":
            return 200, {}, rss(item("Found", "there"))
        if path == "/loop":
            return 302, {"Location": "/loop"}, b""
        return 301, {"Location": "/feed/?a=1"}, b""

    with serving(answer) as url:
        went_well(project.run("new", "moved", "--from-feed", f"{url}/feed"))
        looping = project.run("new", "looping", "--from-feed", f"{url}/loop")
    (story,) = issue(project, "moved").stories
    assert [f"{url}/feed/there"] == [link.url for part in story.body for link in part.links]
    stopped(looping, 2, "redirects more than 5 times")


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ((404, {}, b"gone"), "the server answers 404"),
        ((200, {}, b""), "an empty page instead of a feed"),
        ((200, {}, b"<!doctype html><html><body>Hello</body></html>"), "leads to a web page"),
        ((200, {}, b'{"version": "https://jsonfeed.org/version/1.1"}'), "is no feed"),
        ((200, {}, b"\x89PNG\r\n\x1a\n\x00\x00"), "is no feed"),
        ((200, {}, rss("")), "The feed has no entries"),
        ((200, {}, rss(item(link="https://blog.example/1"))), "No entry of the feed says anything"),
        ((200, {}, b"<rss><channel>" + b"<item><title>" * 40_000), "The feed is damaged"),
        ((200, {}, b"x" * 4_100_000), "more than 4 MB"),
        ((302, {"Location": "file:///etc/passwd"}, b""), "This is no address of a feed"),
        ((302, {"Location": "http://[::1"}, b""), "The feed cannot be fetched"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_feed_is_told_in_plain_words(
    project: Project, answer: Answer, told: str
) -> None:
    with serving(lambda _: answer) as url:
        done = project.run("new", "2017-06", "--from-feed", f"{url}/feed.xml")
    stopped(done, 2, told)
    assert not (project.folder / "issues" / "2017-06.yaml").exists()


@pytest.mark.parametrize("url", ["feed.xml", "ftp://blog.example/feed", "https://", "http://[x/"])
def test_what_is_no_web_address_is_told(project: Project, url: str) -> None:
    stopped(project.run("new", "2017-06", "--from-feed", url), 2, "This is no address of a feed")


def test_a_slow_server_and_none_are_told(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_draft, "_LONGEST_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        slow = project.run("new", "2017-06", "--from-feed", url)
    stopped(slow, 2, "The feed cannot be fetched", "in time")
    stopped(project.run("new", "2017-06", "--from-feed", url), 2, "nothing answers at this address")


def test_a_feed_goes_with_no_skeleton_and_no_translation(project: Project) -> None:
    url = ("--from-feed", "https://blog.example/feed")
    with_skeleton = project.run("new", "2017-06", *url, "--skeleton", "links")
    stopped(with_skeleton, 2, "Leave --skeleton or --from-feed out")
    stopped(project.run("new", "2017-04.fr", *url), 2, "Leave --from-feed out")


def test_of_many_entries_the_newest_become_stories_and_the_number_is_told(
    project: Project,
) -> None:
    many = "".join(
        item(f"Entry {number}", f"/{number}", guid=f"n{number}") for number in range(900)
    )
    last = item("Newest", "/n", "Text.", "Wed, 01 Feb 2017 10:00:00 GMT")
    with serving(lambda _: (200, {}, rss(many + many + last))) as url:
        done = project.run("new", "many", "--from-feed", url)
    went_well(done, "20 stories", "the feed's 1,801 entries", "900 of them are there twice")
    headlines = [story.headline for story in issue(project, "many").stories]
    assert ["Newest", "Entry 0", "Entry 1"] == headlines[:3]
    assert len(headlines) == MOST_STORIES


def test_entries_that_lack_something_are_stories_without_it(tmp_path: Path) -> None:
    text = drafted(
        rss(
            item(text="Only a text.")
            + item(title="Only a title: #1")
            + item(title="其他", link="https://blog.example/a b?x=1&amp;y={z}")
            + item(title="None")
            + item(title="Same", text="one") + item(title="same", text="two")
            + item(text="With a link.", link="https://blog.example/5")
        )
    )  # fmt: skip
    path = tmp_path / "x.yaml"
    head = "title: T\ndate: 2017-05-01\nlanguage: en\nsubject: S\npreheader: P\n"
    path.write_text(head + text)
    stories = load_issue(path).issue.stories
    assert ["entry-1", "only-a-title-1", "entry-3", "none-2", "same", "same-2", "entry-7"] == [
        story.id for story in stories
    ]
    assert [None, None, "其他", None, "Same", "same", None] == [each.headline for each in stories]
    links = [link for story in stories for part in story.content for link in part.links]
    assert [
        ("其他", "https://blog.example/a%20b?x=1&y=%7Bz%7D"),
        ("blog.example", "https://blog.example/5"),
    ] == [(link.label, link.url) for link in links]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_entities_neither_grow_nor_read_files(encoding: str) -> None:
    feed = rss(item("&s;", "/1", "text")).decode().replace("utf-8", encoding)
    doctype = '<!DOCTYPE rss [<!ENTITY s SYSTEM "file:///etc/passwd">]><rss'
    with pytest.raises(InputError, match="declares entities of its own"):
        drafted(feed.replace("<rss", doctype).encode(encoding))


def test_a_long_text_is_cut_within_a_word_count_and_its_links_stay_whole() -> None:
    html = f'<p>{"word " * 128}<a href="https://a.example/?q=(1)&copy;">one two three</a> rest</p>'
    (line,) = markdown_of_html(html, base="").split("\n")
    assert line.endswith("word [one two …](<https://a.example/?q=(1)©>)")


ANY = st.text(
    st.sampled_from("ab 1.)(-+=#>*_`~[]<>&|\\!^$:/@\"'\n\t") | st.characters(codec="utf-8"),
    max_size=40,
)


@given(ANY)
def test_any_text_is_shown_as_it_is(text: str) -> None:
    """As a paragraph of plain words: no heading, list, emphasis, code or picture."""
    made = markdown_of_text(text)
    tokens = markdown.parse(made, language="xx")
    kinds = {token.type for token in tokens} | {
        child.type for token in tokens for child in token.children or ()
    }
    assert kinds <= {"paragraph_open", "paragraph_close", "inline", "text", "link_open",
                     "link_close"}  # fmt: skip
    assert "{{" not in made
    wide = TextLayout(width=10_000)
    for_comparison = str.maketrans("", "", "{}( \n")
    written = " ".join(plain_line(part) for part in text.split("\n"))
    shown = markdown.to_text(tokens, wide)
    plain = {"…": "...", "–": "--", "—": "---"}
    for sign, typed in plain.items():
        shown, written = shown.replace(sign, typed), written.replace(sign, typed)
    assert "".join(written.translate(for_comparison).split()) == "".join(
        shown.translate(for_comparison).split()
    )


@given(st.binary(max_size=200) | ANY.map(lambda text: rss(item("t", "/l", text))))
def test_any_bytes_are_a_feed_or_told(content: bytes) -> None:
    try:
        drafted(content)
    except InputError as error:
        told = error.next
    else:
        told = "a draft"
    assert told
