"""Secrets are found as servers write them."""

from __future__ import annotations

import pytest

from pinguin.scrub import Scrubber

SECRET = "k<ey/(a)+b=&'c\""


@pytest.mark.parametrize(
    "written",
    [
        "k%3cey%2f%28a%29%2bb%3d%26%27c%22",  # .NET
        "k%3Cey%2F(a)%2Bb%3D%26'c%22",  # encodeURIComponent
        "k<ey\\/(a)+b=&'c\\\"",  # PHP
        "k\\u003cey/(a)+b=\\u0026'c\\\"",  # Go
        "k&lt;ey/(a)+b=&amp;&#39;c&#34;",  # Go, Jinja
        "k&lt;ey/(a)+b=&amp;&#039;c&quot;",  # PHP
    ],
)
def test_a_secret_is_hidden_as_other_languages_write_it(written: str) -> None:
    scrubber = Scrubber([SECRET])
    assert scrubber.text(f"you sent {written}.") == "you sent [secret]."
    assert scrubber.text(f"you sent {written[:-4]}…") == "you sent [secret]…"
