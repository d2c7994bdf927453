from pathlib import Path

import pytest
from PIL import Image


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of issues, with the picture that the letter shows."""
    path = tmp_path_factory.mktemp("issues")
    (path / "images").mkdir()
    Image.new("RGB", (1200, 600), "navy").save(path / "images" / "veracruz.png")
    return path
