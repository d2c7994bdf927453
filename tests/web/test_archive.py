"""Past issues and their feeds, as the public server shows them."""

import http.client
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.browser import chromium
from tests.web.served import Running, bundle, running

PREFIX = "/news"
PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src 'self'">
<title>A past issue</title></head><body><h1>March</h1><img src="dot.png" alt=""></body></html>"""
DOT = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)
FEED = '<feed xmlns="http://www.w3.org/2005/Atom"><title>Past issues</title></feed>'
KEY = "SECRET KEY"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server under a path, whose archive has a folder, and links that lead out of it."""
    folder = tmp_path_factory.mktemp("public")
    archive = folder / "archive"
    (archive / "2017-03").mkdir(parents=True)
    (archive / "empty").mkdir()
    (archive / ".git").mkdir()
    (folder / "newsletter.key").write_text(KEY)
    (archive / ".git" / "config").write_text(KEY)
    (archive / "index.html").write_text(PAGE)
    (archive / "2017-03" / "index.html").write_text(PAGE)
    (archive / "dot.png").write_bytes(DOT)
    (archive / "feed.en.atom").write_text(FEED)
    (archive / "key.html").symlink_to(folder / "newsletter.key")
    (archive / "up").symlink_to(folder)
    known = bundle(
        f"https://x.example{PREFIX}", archive=archive, archive_path="/archive/", noindex=True
    )
    with running(folder, known=known) as started:
        yield started


def ask(server: Running, path: str, host: str = "evil.example") -> tuple[int, str, str]:
    """Status, Location and content of exactly this path, which no client has made tidy."""
    with closing(http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=30)) as wire:
        wire.putrequest("GET", path, skip_host=True)
        wire.putheader("Host", host)
        wire.endheaders()
        answer = wire.getresponse()
        return answer.status, answer.getheader("Location", ""), answer.read().decode("latin-1")


@pytest.mark.parametrize("prefix", ["", PREFIX], ids=["taken off", "left on"])
def test_pages_pictures_and_feeds_come_with_their_types(server: Running, prefix: str) -> None:
    for path, kind in {
        "": "text/html; charset=utf-8",
        "index.html": "text/html; charset=utf-8",
        "2017-03/": "text/html; charset=utf-8",
        "dot.png": "image/png",
        "feed.en.atom": "application/atom+xml; charset=utf-8",
    }.items():
        answer = server.get(f"{prefix}/archive/{path}")
        assert (200, kind) == (answer.status_code, answer.headers["Content-Type"]), path
        assert "nosniff" == answer.headers["X-Content-Type-Options"]
        assert "no-referrer" == answer.headers["Referrer-Policy"]
        assert "DENY" == answer.headers["X-Frame-Options"]
        # Webmail shows the pictures on pages of its own.
        assert "cross-origin" == answer.headers["Cross-Origin-Resource-Policy"]
        assert "noindex" == answer.headers["X-Robots-Tag"]
        assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(
    "path",
    [
        "nothing.html",
        "empty/",
        "key.html",
        "up/newsletter.key",
        "../newsletter.key",
        "2017-03/../../newsletter.key",
        "..%2fnewsletter.key",
        "%2e%2e/newsletter.key",
        "..%5cnewsletter.key",
        "....//newsletter.key",
        "%00",
        "/etc/passwd",
        ".git/config",
        "2017-03/../.git/config",
    ],
)
def test_nothing_else_is_there(server: Running, path: str) -> None:
    status, location, content = ask(server, f"/archive/{path}")
    assert (404, "") == (status, location)
    assert KEY not in content
    assert "root:" not in content


@pytest.mark.parametrize("prefix", ["", PREFIX], ids=["taken off", "left on"])
def test_a_folder_without_its_slash_leads_on_whatever_host_and_path_a_proxy_made(
    server: Running, prefix: str
) -> None:
    for path in ("archive", "archive/2017-03"):
        status, location, _ = ask(server, f"{prefix}/{path}")
        assert (307, f"{Path(path).name}/") == (status, location)
        assert 200 == server.get(f"{prefix}/{path}").status_code


@pytest.mark.parametrize("path", ["health/", "1/x/", "leave/x/", "log/", "nowhere"])
def test_no_other_address_leads_on(server: Running, path: str) -> None:
    status, location, _ = ask(server, f"/{path}")
    assert (404, "") == (status, location)


def test_no_folder_is_listed(server: Running) -> None:
    for path in ("", "empty/", "2017-03/"):
        assert not re.search("key.html|config|Index of", ask(server, f"/archive/{path}")[2])


def test_a_page_works_under_its_own_policy(server: Running) -> None:
    with chromium() as browser:
        page = browser.new_page()
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.goto(f"{server.url}/archive/")
        assert "March" == page.inner_text("h1")
        assert 1 == page.evaluate("document.images[0].naturalWidth")
        assert [] == [words for words in said if "Policy" in words]


def test_health_says_whether_the_log_can_be_read(tmp_path: Path) -> None:
    with running(tmp_path) as started:
        answer = started.get("/health")
        assert (200, "ok\n") == (answer.status_code, answer.text)
        assert "no-store" == answer.headers["Cache-Control"]
        (tmp_path / "public.db").unlink()
        assert 503 == started.get("/health").status_code
