"""The pictures of the documentation are what the script draws, and readers of both modes get theirs."""

import re
from xml.etree import ElementTree as ET

import pytest

from support.code_blocks import PAGES
from support.pictures.all import FOLDER, pictures

KIB = 1024


@pytest.mark.parametrize("name", pictures())
def test_a_picture_is_what_the_script_draws(name: str) -> None:
    path = FOLDER / name
    assert path.exists(), "type: make pictures"
    if path.read_text(encoding="utf-8") != pictures()[name]:
        pytest.fail(f"{name} is not what its data say any more; type: make pictures", pytrace=False)


@pytest.mark.parametrize("name", pictures())
def test_a_picture_is_small_and_fetches_nothing(name: str) -> None:
    text = pictures()[name]
    assert len(text) < 40 * KIB
    ET.fromstring(text)
    assert set(re.findall(r"(?:href|src|url\()\W*(https?:[^\s\"')]*)", text)) == set()
    assert "@font-face" not in text


def test_every_picture_is_on_a_page_and_every_page_has_both_of_its_looks() -> None:
    shown = set()
    for page in PAGES:
        for source in re.findall(r"<picture>.*?</picture>", page.read_text(encoding="utf-8"), re.DOTALL):
            (dark,) = re.findall(
                r'media="\(prefers-color-scheme: dark\)" srcset="[./\w-]*?([\w-]+\.svg)"', source
            )
            (light,) = re.findall(r'<img alt="[^"]+" src="[./\w-]*?([\w-]+\.svg)">', source)
            assert light.replace("-light.", "-dark.") == dark
            shown |= {light, dark}
    assert shown == set(pictures()) == {path.name for path in FOLDER.glob("*.svg")}
