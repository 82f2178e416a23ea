"""Rows of results, and values of evidence in them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from markupsafe import escape

from pinguin.store.pages import ResultRow
from pinguin.web import result_rows
from pinguin.web.views import Line, phases

AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("found", "drawn"),
    [
        (True, "yes"), (False, "no"), (None, "–"), (0, "0"), (2.5, "2.5"), ("a <b>", "a &lt;b&gt;"), ([], "none"),
        ([1, "<i>", None], "1, &lt;i&gt;, None"),
        ({"days_left": [1, 2]}, '<dl class="facts"><div><dt>days left</dt><dd>1, 2</dd></div></dl>'),
        ([{"a": 1}, {"<b>": "&"}], '<dl class="facts"><div><dt>a</dt><dd>1</dd></div></dl>'
            '<dl class="facts"><div><dt>&lt;b&gt;</dt><dd>&amp;</dd></div></dl>'),
    ],
)  # fmt: skip
def test_a_value_is_shown_in_words_and_escaped(found: Any, drawn: str) -> None:
    assert escape(result_rows.value(found)) == drawn


def test_a_row_tells_what_was_wrong_and_how_late_it_began() -> None:
    times = (12.0, 1.0, None, None, 11.0, None)
    late = AT + timedelta(milliseconds=40)
    failed = ResultRow(AT, "<eu>", "down", "status", "saw <503>", *times, late, late, {"status": 503})
    early = ResultRow(AT, "us", "up", None, None, *times, AT - timedelta(seconds=1), AT, {})
    first, second = result_rows.rows([Line(failed, phases(failed)), Line(early, phases(early))]).splitlines()
    assert 'data-check="2026-03-01T12:00:00+00:00 &lt;eu&gt;"' in first
    assert "<b>status</b> saw &lt;503&gt;</summary>" in first
    assert "Started 40 ms after its slot." in first
    assert '<rect class="p-first_byte" x="8.3"' in first
    assert "<summary>Evidence</summary>" in second
    assert "Started 0 ms after its slot." in second
