"""Markup with holes."""

from __future__ import annotations

from markupsafe import Markup

from pinguin.web.pattern import Pattern


def test_what_goes_into_a_pattern_is_escaped_and_markup_stays() -> None:
    link = Pattern('<a title="%s">%s</a>%s')
    drawn = link('"><script>', Markup("<b>bold</b>"), 7)
    assert drawn == '<a title="&#34;&gt;&lt;script&gt;"><b>bold</b></a>7'
    assert isinstance(drawn, Markup)
    assert link("100 %s {}", "a", "b").startswith('<a title="100 %s {}">')
