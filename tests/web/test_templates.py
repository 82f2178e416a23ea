"""What must not be in a page: scripts and styles in line, other people's servers; and what we vendor is what it was."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path

import pytest

import pinguin.web
from pinguin.web.templating import environment

WEB = Path(pinguin.web.__file__).parent
TEMPLATES = sorted((WEB / "templates").rglob("*.html"))
VENDOR = WEB / "static" / "vendor"


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_no_template_has_a_script_or_a_style_in_it(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"<script(?![^>]*\ssrc=)", text)
    assert not re.search(r"<style|\sstyle=|javascript:", text)
    assert not re.search(r"\son[a-z]+=|hx-on|hx-vars|js:", text)
    assert "|safe" not in text.replace(" ", "")
    assert not re.search(r"(src|href|action)=\"(https?:)?//", text)


def test_every_template_compiles() -> None:
    made = environment()
    for path in TEMPLATES:
        made.get_template(str(path.relative_to(WEB / "templates")))


def test_vendored_files_are_what_their_packages_carried() -> None:
    files = json.loads((VENDOR / "package.json").read_text())["pinguin"]["files"]
    assert set(files) == {path.name for path in VENDOR.glob("*.js")}
    for name, about in files.items():
        digest = base64.b64encode(hashlib.sha384((VENDOR / name).read_bytes()).digest()).decode()
        assert about["integrity"] == f"sha384-{digest}"
        assert (VENDOR / f"{name.partition('.')[0]}.LICENSE").exists()


def test_our_own_files_name_no_other_server() -> None:
    for path in (WEB / "static").glob("*.*"):
        assert not re.search(r"https?://(?!www\.w3\.org)", path.read_text()), path.name


def test_colours_stand_in_the_tokens_alone() -> None:
    text = (WEB / "static" / "pinguin.css").read_text()
    tokens, _, rest = text.partition("/* --- ground */")
    assert "--ice" in tokens
    named = set(re.findall(r"#[0-9a-f]{3,8}\b", rest))
    assert named <= {"#16324a", "#4d7896", "#ffffff", "#eef5fa"}, "only the penguin has its own"


def _contrast(one: str, other: str) -> float:
    def luminance(colour: str) -> float:
        parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("side", [0, 1], ids=["light", "dark"])
def test_colours_of_text_can_be_read(side: int) -> None:
    """WCAG AA: 4.5 for text, 3 for marks and borders of inputs."""
    text = (WEB / "static" / "pinguin.css").read_text()
    tokens = {name: pair[side] for name, *pair in re.findall(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)", text)}
    for ground in ("ice", "card", "raised", "down-soft"):
        for ink in ("ink", "ink-2", "ink-3", "link", "up-text", "degraded-text", "down-text", "unknown-text"):
            assert _contrast(tokens[ink], tokens[ground]) >= 4.5, (ink, ground)
    for mark in ("up", "down", "unknown", "resting", "line-strong", "focus", "series", "degraded"):
        assert _contrast(tokens[mark], tokens["card"]) >= 3, mark
    assert _contrast(tokens["on-solid"], tokens["solid"]) >= 4.5
