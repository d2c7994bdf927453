"""What the mails of the example load and link to is in the archive that is built for them."""

import re
from urllib.parse import unquote

import pytest
from newsletter.project import Project
from newsletter.project.compile import compile_issue

from tests.archive.built import DOCUMENT, URL, Archive, html_of

IN_TEXT = re.compile(rf"{re.escape(URL)}\S*")


def led_to(archive: Archive, issue: str) -> set[str]:
    """Every address below the archive that a mail of the issue names, in HTML or text."""
    found: set[str] = set()
    for one in compile_issue(Project(archive.project.folder), issue).languages.values():
        page = html_of(one.edition.html)
        found |= {each for each in page.xpath("//@href | //@src") if each.startswith(URL)}
        found |= set(IN_TEXT.findall(one.edition.text))
    return {address.removeprefix(URL) for address in found}


@pytest.mark.parametrize("issue", ["2017-03", "2016-12", "2015-06"])
def test_every_address_below_the_archive_that_a_mail_names_is_there(
    archive: Archive, issue: str
) -> None:
    addresses = led_to(archive, issue)
    assert any(address.startswith(f"{issue}.") for address in addresses), "view in browser"
    for address in addresses:
        path, _, anchor = address.partition("#")
        assert (archive.folder / unquote(path or "index.html")).is_file(), address
        if anchor:
            assert archive.page(path).get_element_by_id(anchor) is not None


def test_pictures_backgrounds_pages_and_documents_are_among_them(archive: Archive) -> None:
    march, december = led_to(archive, "2017-03"), led_to(archive, "2016-12")
    languages = ("ar", "en", "es", "fr")
    assert {f"2017-03.{one}.html" for one in languages} <= march
    assert {f"2017-03.{one}.html#askarov-background" for one in languages} <= march
    assert set(archive.names(".jpg")) == {each for each in march if each.startswith("images/")}
    (document,) = (unquote(each) for each in december if each.startswith("files/"))
    assert document.endswith(f"/{DOCUMENT}")
