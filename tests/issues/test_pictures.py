from pathlib import Path

import pytest
from newsletter.issues.loader import load_issue

from tests.issues.support import GOOD, PNG, problems, write


@pytest.mark.parametrize("start", [PNG, b"\xff\xd8\xff\xe0", b"GIF87a--", b"GIF89a--"])
def test_pictures_are_known_by_their_first_bytes(tmp_path: Path, start: bytes) -> None:
    path = write(tmp_path, GOOD)
    (tmp_path / "images" / "port.png").write_bytes(start)

    assert load_issue(path).issue.stories[0].image is not None


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (b"", ""),
        (b"just words", ""),
        (b"RIFF\0\0\0\0WEBP", "a WebP picture, "),
        (b"\0\0\0\x18ftypheic", "a HEIC picture, as iPhones take them, "),
        (b"\0\0\0\x1cftypavif", "an AVIF picture, "),
        (b"<svg xmlns", "an SVG drawing, "),
        (b"%PDF-1.7", "a PDF, "),
        (b"II*\0", "a TIFF or raw picture, "),
        (b"<!DOCTYPE html>", "a web page, "),
    ],
)
def test_what_mail_programs_cannot_show_is_refused_by_its_kind(
    tmp_path: Path, start: bytes, kind: str
) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "x.png").write_bytes(start)

    assert problems(tmp_path, GOOD.replace("port.png", "x.png")) == [
        f"12:13, story “A year of safety”: “x.png” is {kind}no PNG, JPEG or GIF. "
        "Save it as one of these; mail programs show no other kind reliably."
    ]


def test_a_picture_may_lie_in_a_folder_below(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD.replace("port.png", "march/port.png"))
    (tmp_path / "images" / "march").mkdir()
    (tmp_path / "images" / "march" / "port.png").write_bytes(PNG)

    image = load_issue(path).issue.stories[0].image

    assert image is not None
    assert image.file == "march/port.png"


def test_a_missing_picture_names_the_nearest(tmp_path: Path) -> None:
    [problem] = problems(tmp_path, GOOD.replace("port.png", "Port.PNG"))

    assert problem.startswith("12:13, story “A year of safety”: There is no picture “Port.PNG”")
    assert problem.endswith("Did you mean “port.png”?")


@pytest.mark.parametrize(
    "name",
    ["../secret.png", "/etc/passwd", "a/../../secret.png", "..\\secret.png", "C:secret.png"],
)
def test_a_picture_outside_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret.png").write_bytes(PNG)

    [problem] = problems(tmp_path, GOOD.replace("port.png", name))

    assert f"The picture “{name}” is not named by its place below" in problem


def test_a_link_to_outside_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(PNG)
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "link.png").symlink_to(tmp_path / "secret.png")

    [problem] = problems(tmp_path, GOOD.replace("port.png", "link.png"))

    assert "The picture “link.png” is a link to outside" in problem


def test_a_file_too_large_to_be_a_picture_is_refused_unread(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    with (tmp_path / "images" / "film.png").open("wb") as film:
        film.truncate(312_000_000)

    [problem] = problems(tmp_path, GOOD.replace("port.png", "film.png"))

    assert "The picture “film.png” has 312 MB. Make it smaller; 50 MB is the most." in problem


def test_links_in_a_circle_a_folder_and_a_long_name_are_told(tmp_path: Path) -> None:
    images = tmp_path / "images"
    (images / "folder").mkdir(parents=True)
    (images / "circle.png").symlink_to(images / "circle.png")

    for name in ("circle.png", "folder", "x" * 400):
        [problem] = problems(tmp_path, GOOD.replace("port.png", name))
        assert f"picture “{name}”" in problem
