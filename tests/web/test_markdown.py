from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinguin.web.markdown import LONGEST, render


def test_what_people_write_is_shown() -> None:
    text = (
        "# What\n\n* a **cable**\n* `sshd`\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n[log](https://logs.example/x?a=1&b=2)"
    )
    page = render(text)
    for part in (
        "<h3>What</h3>", "<li>a <strong>cable</strong></li>", "<code>sshd</code>", "<td>2</td>",
        '<a href="https://logs.example/x?a=1&amp;b=2" rel="noopener noreferrer nofollow">log</a>',
    ):  # fmt: skip
        assert part in page


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "a <b onclick=alert(1)>b</b>",
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt:alert(1))",
        "[x](&#106;avascript:alert(1))",
        "[x](java\nscript:alert(1))",
        "[x](data:text/html;base64,PHNjcmlwdD4=)",
        "[x](vbscript:a)",
        "[x](file:///etc/passwd)",
        "[x](//evil.example/)",
        "[x](/\\evil.example/)",
        "<javascript:alert(1)>",
        "![x](javascript:alert(1))",
        "![x](data:image/png;base64,AAAA)",
        "[x]: javascript:alert(1)\n\n[x]",
        '[x](https://a.example/ "\\" onmouseover=\\"alert(1)")',
        '![" onload=alert(1)](https://a.example/x.png)',
        '```html"><script>alert(1)</script>\nx\n```',
    ],
)
def test_nothing_hostile_comes_through(text: str) -> None:
    page = render(text).lower()
    for tag in ("<script", "<img", "<b ", "<iframe"):
        assert tag not in page
    for link in ("javascript:", "vbscript:", "data:", "file:", "//evil", "/\\evil"):
        assert f'href="{link}' not in page
    assert ' onmouseover="' not in page.replace("&quot;", "'")
    assert ' onload="' not in page.replace("&quot;", "'")


def test_pictures_are_links_and_are_not_loaded() -> None:
    page = render('![a "graph"](https://tracker.example/a.png?x=1&y=2)')
    assert "<img" not in page
    assert 'href="https://tracker.example/a.png?x=1&amp;y=2"' in page
    assert "&#34;graph&#34;" in page


@given(st.text(st.sampled_from("<>[]()!\"'`*_#&;:/\\ab \n-|"), max_size=200))
def test_only_our_own_tags_come_out(text: str) -> None:
    page = render(text)
    for tag in ("<script", "<img", "<a b", "<b", "<style"):
        assert tag not in page.replace("<blockquote", "").replace("<br", "")


@pytest.mark.parametrize(
    "text", ["[" * LONGEST, "*a " * LONGEST, ">" * LONGEST, "![" * LONGEST, "`" * LONGEST, "a](b " * LONGEST]
)
def test_no_text_takes_long(text: str) -> None:
    began = time.process_time()
    render(text)
    assert time.process_time() - began < 3
