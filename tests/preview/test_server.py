"""The preview over HTTP: what it shows, and what it refuses."""

import json
import queue
import re
import shutil
import socket
import threading
import urllib.parse
from pathlib import Path

import pytest
from newsletter.config import load_settings
from newsletter.errors import InputError
from newsletter.issues.loader import load_issue
from newsletter.issues.material import load_material
from newsletter.preview.app import in_scheme, local
from newsletter.preview.build import Sources
from newsletter.preview.server import serve_preview
from newsletter.render.edition import CompileInput
from newsletter.render.pipeline import compile_edition
from newsletter.render.slots import TOKEN
from newsletter.theme import ShownWidths
from newsletter.theme_files import load_theme

from tests.preview.conftest import copied, serving
from tests.preview.served import Served
from tests.support.tools import ROOT


def test_it_shows_the_edition_that_would_be_sent(served: Served) -> None:
    settings = load_settings(served.sources.settings)
    loaded = load_issue(served.sources.issue)
    theme = load_theme(served.sources.folder / settings.theme.folder)
    material = load_material(loaded, served.sources.issue.parent, shown=theme.shown)
    edition = compile_edition(CompileInput(loaded.issue, loaded.source, theme, settings, material))
    names = [picture.name for picture in material.pictures.values()]
    pieces = TOKEN.split(in_scheme(local(edition.html, names), "light"))
    shown = served.ask("/mail?reader=row-2").text
    assert re.fullmatch("(?s:.{0,200}?)".join(map(re.escape, pieces)), shown)
    assert "Anna Lindqvist" in shown
    assert re.fullmatch(
        "(?s:.{0,200}?)".join(map(re.escape, TOKEN.split(edition.text))),
        served.state("row-2")["issue"]["text"],
    )


def test_the_state_holds_all_that_the_page_shows(served: Served) -> None:
    state = served.state("row-2")
    issue = state["issue"]
    assert state["error"] is None
    assert ("March 2017", "en", "ltr") == (issue["title"], issue["language"], issue["direction"])
    assert "row-2" == issue["reader"]
    assert 0 < issue["size"]["kb"] < issue["size"]["clip"] == 102
    assert {"error", "warning", "note"} == issue["counts"].keys()
    headers = dict(issue["headers"])
    assert issue["subject"] == headers["Subject"]
    assert "List-Unsubscribe=One-Click" == headers["List-Unsubscribe-Post"]


def test_readers_are_shown_by_name_and_masked_address(served: Served) -> None:
    answer = served.ask("/state?reader=row-2").text
    addresses = re.findall(
        r"^[^,\s]+@[^,\s]+", (ROOT / "subscribers.example.csv").read_text(), re.MULTILINE
    )
    assert len(addresses) >= 12
    assert [] == [address for address in addresses if address in answer]
    assert "Anna Lindqvist · a…@p….example" in answer


def test_a_reader_without_a_name_gets_the_fallback(served: Served) -> None:
    assert 'Dear <span dir="auto">friend</span>,' in served.ask("/mail?reader=empty").text
    assert "Dear friend" in served.state("empty")["issue"]["text"]


def test_an_unknown_reader_is_the_first_one(served: Served) -> None:
    assert served.state("row-2")["issue"]["reader"] == served.state("nobody")["issue"]["reader"]


def test_a_translation_is_shown_to_those_who_read_it(tmp_path: Path) -> None:
    sources = copied(tmp_path)
    for language in ("es", "ar"):
        sources.issue.with_name(f"2017-03.{language}.yaml").unlink()
    with serving(sources) as draft:
        shows_a_translation(sources, draft)


def shows_a_translation(sources: Sources, draft: Served) -> None:
    french = sources.issue.with_name("2017-03.fr.yaml")
    text = french.read_text(encoding="utf-8")
    told = draft.versions()
    before = next(told)
    changed = re.sub("^preheader: .*$", 'preheader: "Court"', text, flags=re.MULTILINE)
    french.write_text(
        changed.replace("title: Mars 2017", "title: Printemps 2017"), encoding="utf-8"
    )
    while next(told) == before:
        pass
    by_label = {each["label"]: each["id"] for each in draft.state()["issue"]["readers"]}
    renee = next(number for label, number in by_label.items() if "Renée" in label)
    assert "Printemps 2017" == draft.state(renee)["issue"]["title"]
    english = draft.state("empty")["issue"]
    assert "March 2017" == english["title"]
    # What is amiss in one language is told whichever is shown.
    assert draft.state(renee)["issue"]["counts"] == english["counts"]
    (short,) = [each for each in english["findings"] if "2017-03.fr.yaml" in each["place"]]
    assert short["id"].startswith("preheader"), short


def test_a_change_is_told_within_a_second_or_so(draft: Served) -> None:
    told = draft.versions()
    first = next(told)
    draft.edit("title: March 2017", "title: Spring 2017")
    assert first < next(told)
    assert "Spring 2017" == draft.state()["issue"]["title"]


def test_settings_theme_pictures_and_list_are_watched_too(draft: Served) -> None:
    told = draft.versions()
    last = next(told)
    for name in (
        "newsletter.toml",
        "templates/default/css/head.css",
        "issues/images/x.png",
        "subscribers.example.csv",
    ):
        with (draft.sources.folder / name).open("a") as file:
            file.write("\n")
        before, last = last, next(told)
        assert before < last, name


def test_an_error_is_told_with_file_and_line_and_the_last_good_mail_stays(draft: Served) -> None:
    told = draft.versions()
    next(told)
    draft.edit("title: March 2017", "titel: March 2017")
    next(told)
    state = draft.state()
    (problem, *_) = [each for each in state["error"]["problems"] if "titel" in str(each)]
    assert re.search(r"2017-03\.yaml:\d+", problem["place"])
    assert "March 2017" == state["issue"]["title"]
    assert 200 == draft.ask("/mail").status
    draft.edit("titel: March 2017", "title: March 2017")
    next(told)
    assert draft.state()["error"] is None


def test_a_list_that_cannot_be_read_is_a_notice_and_no_error(
    sources: Sources, draft: Served
) -> None:
    told = draft.versions()
    next(told)
    (sources.folder / "subscribers.example.csv").unlink()
    next(told)
    state = draft.state()
    assert state["error"] is None
    assert "subscribers.example.csv" in state["issue"]["notice"]
    assert ["empty"] == [reader["id"] for reader in state["issue"]["readers"]]


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1", "", "localhost:1"]
)
@pytest.mark.parametrize("path", ["/", "/state", "/mail", "/events"])
def test_a_foreign_host_is_refused(served: Served, host: str, path: str) -> None:
    assert 403 == served.ask(path, host=host).status


def test_localhost_is_this_machine_too(served: Served) -> None:
    port = urllib.parse.urlsplit(served.url).port
    assert 200 == served.ask("/", host=f"localhost:{port}").status


def test_nothing_but_reading_is_possible(served: Served) -> None:
    methods = ("POST", "PUT", "DELETE", "PATCH")
    paths = ("/", "/state", "/mail", "/events", "/assets/tbilisi.jpg")
    answers = {served.ask(path, method=method).status for method in methods for path in paths}
    assert {405} == answers


def test_it_listens_on_the_loopback_interface_only(served: Served) -> None:
    port = urllib.parse.urlsplit(served.url).port
    assert port
    other = socket.gethostbyname(socket.gethostname())
    if other.startswith("127.0.0.1"):
        other = "127.0.0.2"  # loopback as well, yet not the address bound
    with pytest.raises(ConnectionRefusedError), socket.create_connection((other, port), timeout=5):
        pass


def test_pictures_come_from_the_issue(served: Served) -> None:
    loaded = load_issue(served.sources.issue)
    material = load_material(loaded, served.sources.issue.parent, shown=ShownWidths())
    mail = served.ask("/mail").text
    for picture in material.pictures.values():
        answer = served.ask(f"/assets/{picture.name}")
        assert (200, picture.content) == (answer.status, answer.body)
        assert picture.media_type == answer.headers["Content-Type"]
        assert f'src="/assets/{picture.name}"' in mail


def test_no_other_file_can_be_had(draft: Served) -> None:
    paths = (
        "/assets/../2017-03.yaml",
        "/assets/../../newsletter.toml",
        "/assets/%2e%2e/%2e%2e/newsletter.toml",
        "/assets/..%2f..%2fnewsletter.toml",
        "/assets/%2fetc/passwd",
        "/assets//etc/passwd",
        "/assets/..%5c..%5cnewsletter.toml",
        "/assets/%00",
        "/assets/",
        "/assets/link.png",
        "/assets/script.svg",
        "/assets/none.png",
        "/../preview.py",
    )
    (draft.sources.folder / "secret.png").write_bytes(b"secret")
    (draft.sources.images / "link.png").symlink_to(draft.sources.folder / "secret.png")
    (draft.sources.images / "script.svg").write_text("<svg/>")
    assert dict.fromkeys(paths, 404) == {path: draft.ask(path).status for path in paths}


def test_the_mail_can_neither_act_nor_load_from_elsewhere(served: Served) -> None:
    policy = served.ask("/mail").headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "img-src 'self' data:" in policy
    assert "script-src" not in policy
    page = served.ask("/")
    assert "unsafe" not in page.headers["Content-Security-Policy"]
    frames = re.findall(r"<iframe[^>]*>", page.text)
    assert 2 == len(frames)
    assert all('sandbox="' in frame and "allow-scripts" not in frame for frame in frames)


def test_pictures_off_means_that_the_browser_may_load_none(served: Served) -> None:
    assert "img-src" not in served.ask("/mail?images=off").headers["Content-Security-Policy"]


def test_the_preferred_colours_are_decided_for_the_frame() -> None:
    css = "@media screen and (prefers-color-scheme: dark){} @media (prefers-color-scheme:light){}"
    dark = "@media screen and (min-width:0){} @media (max-width:0){}"
    light = "@media screen and (max-width:0){} @media (min-width:0){}"
    assert (dark, light) == (in_scheme(css, "dark"), in_scheme(css, "light"))


def test_the_page_names_no_address_outside(served: Served) -> None:
    for path in ("/", "/preview.css", "/preview.js"):
        assert [] == re.findall(r"(?:https?:)?//[\w-]+\.\w+", served.ask(path).text)


def test_an_issue_that_never_loaded_shows_why(tmp_path: Path) -> None:
    shutil.copy(ROOT / "newsletter.toml", tmp_path)
    ready: queue.Queue[str] = queue.Queue()
    stop = threading.Event()
    sources = Sources(tmp_path, tmp_path / "issues" / "2017-03.yaml")
    thread = threading.Thread(
        target=serve_preview, args=(sources,), kwargs={"on_ready": ready.put, "stop": stop}
    )
    thread.start()
    try:
        served = Served(ready.get(timeout=60), sources, stop, thread)
        state = served.state()
        assert state["issue"] is None
        assert state["error"]["what"]
        assert 404 == served.ask("/mail").status
    finally:
        stop.set()
        thread.join(timeout=20)
    assert not thread.is_alive()


def test_it_stops_while_a_browser_listens(draft: Served) -> None:
    next(draft.versions())
    draft.stop.set()
    draft.thread.join(timeout=10)
    assert not draft.thread.is_alive()


def test_a_taken_port_is_a_plain_error(sources: Sources) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"cannot use port {port}"):
            serve_preview(sources, on_ready=print, stop=threading.Event(), port=port)


def test_json_of_the_state_is_json_for_browsers(served: Served) -> None:
    answer = served.ask("/state")
    assert "application/json" == answer.headers["Content-Type"]
    assert json.loads(answer.body)["version"] >= 1
