"""Each kind of condition, met and not met, and the lines that are refused."""

from __future__ import annotations

import time
from typing import Any

import pytest

from pinguin.checks.conditions import MISSING, Condition, Subject, Unreadable, at, judge, read_json, report
from pinguin.checks.conditions.syntax import parse
from pinguin.checks.engine.jsonpath import TooMuch, path
from pinguin.checks.engine.pattern import EFFORT, pattern
from pinguin.errors import CheckFailed

SUBJECTS = {
    each.name: each
    for each in (
        Subject("status", "number", "", reason="status"),
        Subject("header", "text", "", argument="word"),
        Subject("body", "text", "", reason="body", wide=True),
        Subject("json", "json", "", argument="path", reason="body", wide=True),
        Subject("answers", "json", ""),
        Subject("time", "ms", "", reason="slow"),
        Subject("time first byte", "ms", "", reason="slow"),
        Subject("certificate", "days", "", reason="certificate_expiry", says="the certificate ends in {seen}"),
        Subject("no certificate", "days", "", says="the certificate ends in {seen}"),
        Subject("redirect target", "text", ""),
        Subject("size", "bytes", ""),
    )
}
DOCUMENT = b"""{"status": "degraded", "count": 3, "ok": true, "none": null, "rate": 0.5, "tags": ["a", "b"],
    "items": [{"state": "good", "n": 1}, {"state": "bad", "n": 2}], "deep": {"er": {"x": "y z"}}, "name": "01"}"""
HEADERS = {"content-type": "text/html; charset=utf-8", "x-count": "5"}
VALUES: dict[str, Any] = {
    "status": 503,
    "body": "all is ok here\nerror: none",
    "answers": ["192.0.2.1", "192.0.2.2"],
    "time": 1234.5,
    "time first byte": 80.0,
    "certificate": 12,
    "no certificate": MISSING,
    "redirect target": "https://example.org/home",
    "size": 1_500_000,
}


def see(condition: Condition) -> Any:
    name = condition.subject.name
    if name == "header":
        return HEADERS.get(condition.argument, MISSING)
    if name == "json":
        return at(read_json(DOCUMENT), condition.argument)
    return VALUES[name]


def judged(line: str) -> tuple[bool, str, str]:
    (finding,) = judge(parse([line], SUBJECTS), see)
    return finding.met, finding.seen, finding.sentence


MET = [
    "status > 500",
    "status == 503",
    "STATUS >= 503",
    "status != 200",
    "status<600",
    "status in 200-299, 503",
    "status not in 200-299",
    "header content-type contains html",
    "header Content-Type startswith text/",
    "header content-type not contains json",
    "header content-type matches ^text/(html|plain)",
    "header content-type exists",
    "header x-powered-by missing",
    "header x-powered-by not exists",
    "header x-powered-by not contains PHP",
    "header x-count == 5",
    "header x-count in 4, 5",
    "body contains ok",
    'body contains "is ok"',
    "body contains error: none",
    "body not contains fatal",
    "body matches (?m)^error",
    "body matches 'o[k]'",
    "body not matches ^error",
    "body endswith none",
    "body | length > 10",
    'json $.status == "degraded"',
    "json $.status == degraded",
    "json $.status in up, degraded",
    'json $.status in ["up", "degraded"]',
    "json $.status startswith deg",
    "json $.status matches ^de",
    'json $.status > "a"',
    "json $.count == 3",
    "json $.count == 3.0",
    "json $.count in 1, 2, 3",
    "json $.rate < 1",
    "json $.ok == true",
    "json $.ok != 1",
    "json $.none == null",
    "json $.none exists",
    "json $.nothing missing",
    'json $.name == "01"',
    'json $.tags == ["a", "b"]',
    "json $.tags contains b",
    "json $.name contains 1",
    "json $.tags not contains c",
    "json $.deep contains er",
    "json $.items | length >= 2",
    "json $.items |length == 2",
    "json $.items[*].n > 0",
    "json $.items[*].n | length == 2",
    "json $.items[?@.state == 'bad'].n == 2",
    "json $.items[?@.state == 'none'] | length == 0",
    "json $..x == y z",
    "json $['deep']['er'].x == \"y z\"",
    "answers contains 192.0.2.1",
    "answers | length == 2",
    "time < 2 s",
    "time < 2000",
    "time > 1 s",
    "time first byte < 100 ms",
    "certificate > 10 days",
    "certificate < 2 weeks",
    "certificate == 12",
    "redirect target startswith https://",
    "redirect  target endswith /home",
    "size < 2 MB",
    "size > 1 MiB",
    "size == 1500 kB",
]


@pytest.mark.parametrize("line", MET)
def test_met(line: str) -> None:
    met, seen, sentence = judged(line)
    assert (met, sentence) == (True, "")
    assert seen


UNMET = {
    "status < 400": "status is 503, expected < 400",
    "status in 200-299, 404": "status is 503, expected in 200-299, 404",
    "header content-type contains json": 'header content-type is "text/html; charset=utf-8", expected contains json',
    "header x-none contains json": "header x-none is missing, expected contains json",
    "header x-none != a": "header x-none is missing, expected != a",
    "header x-none exists": "header x-none is missing, expected exists",
    "header x-count missing": 'header x-count is "5", expected missing',
    "body contains fatal": "the body does not contain “fatal”",
    "body not contains error": "the body contains “error”",
    "body matches ^ok": "the body does not match “^ok”",
    "body not matches ok": "the body matches “ok”",
    "body startswith x": "the body does not begin with “x”",
    'json $.status == "ok"': 'json $.status is "degraded", expected == "ok"',
    "json $.status != degraded": 'json $.status is "degraded", expected != degraded',
    'json $.count == "3"': 'json $.count is 3, expected == "3"',
    "json $.count > 3": "json $.count is 3, expected > 3",
    "json $.status > 3": 'json $.status is "degraded", expected > 3',
    "json $.ok == 1": "json $.ok is true, expected == 1",
    "json $.ok < 2": "json $.ok is true, expected < 2",
    "json $.nothing == 1": "json $.nothing is missing, expected == 1",
    "json $.nothing != 1": "json $.nothing is missing, expected != 1",
    "json $.nothing[*] > 1": "json $.nothing[*] is missing, expected > 1",
    "json $.items[*].state == good": 'json $.items[*].state is ["good","bad"], expected == good',
    "json $.items | length >= 3": "json $.items | length is 2, expected >= 3",
    "json $.count | length > 1": "json $.count | length is 3, which has no length, expected > 1",
    "json $.deep missing": 'json $.deep is {"er":{"x":"y z"}}, expected missing',
    "json $.tags contains c": 'json $.tags is ["a","b"], expected contains c',
    "json $.count contains 3": "json $.count is 3, expected contains 3",
    "json $.name contains 02": 'json $.name is "01", expected contains 02',
    "json $.name not contains 1": 'json $.name is "01", expected not contains 1',
    "time < 1230 ms": "time is 1234.50 ms, expected < 1230 ms",
    "no certificate > 14 days": "no certificate is missing, expected > 14 days",
    "time < 500 ms": "time is 1.2 s, expected < 500 ms",
    "certificate > 14 days": "the certificate ends in 12 days, expected > 14 days",
    "redirect target startswith http:": ('redirect target is "https://example.org/home", expected startswith http:'),
    "size < 1 MB": "size is 1,500,000 bytes, expected < 1 MB",
    "warn time < 1 s": "time is 1.2 s, expected < 1 s",
}


@pytest.mark.parametrize("line", UNMET)
def test_unmet(line: str) -> None:
    met, _, sentence = judged(line)
    assert (met, sentence) == (False, UNMET[line])


REFUSED = {
    "stats < 400": "nothing that can be looked at; there are status, header NAME",
    "statusquo < 4": "nothing that can be looked at",
    "": "nothing that can be looked at",
    "status": "has no operator",
    "status = 200": "write ==",
    "status is 200": "'is' is no operator here; there are ==",
    "status contians 2": "is no operator",
    "body contians 2": "write contains",
    "status contains 2": "is no operator here",
    "status <": "does not say what is expected",
    "status < many": "'many' is not a number",
    "status in 299-200": "ends before it begins",
    "status exists": "is no operator here",
    "status | length > 2": "nothing to count",
    "header": "needs a name",
    "header == json": "needs a name",
    "header x exists really": "takes nothing behind",
    "header x not missing": "is no operator here",
    "json == 3": "needs a JSONPath",
    "json status == 3": "is not a JSONPath",
    "json $.a[ == 3": "is not a JSONPath",
    "json $.a[?@..b] exists": "may only look at members",
    "json $.a[?@.b == $.c] exists": "may only look at members",
    "json $.a[?match(@.b, 'x')] exists": "is not a JSONPath",
    'json $.a == "x': "is not valid JSON",
    "json $.a > true": "neither a number nor a quoted text",
    "json $.a | size > 2": "not followed by length",
    "json $.a matches (": "not a regular expression",
    "body matches (a{900}){900}": "not a regular expression",
    r"body matches [\pL\d]{90}": "too large a regular expression",
    "body matches (?=x)": "not a regular expression",
    "time < 5 years": "not a number with a unit; there are ms, s, min",
    "time in 1-2": "is no operator here",
    "certificate > soon": "not a number with a unit; there are d",
    "size < 5 ms": "not a number with a unit",
    "body contains " + "x" * 500: "longer than 500",
}


@pytest.mark.parametrize("line", REFUSED)
def test_a_bad_line_is_refused_with_its_number_and_the_fix(line: str) -> None:
    with pytest.raises(ValueError, match=r"^line 2 ") as refused:
        parse(["status < 400", line], SUBJECTS)
    assert REFUSED[line] in str(refused.value)


def test_each_finding_is_reported_and_failures_come_before_warnings() -> None:
    lines = ["status < 400", "warn time < 1 s", "size > 1", "json $.count == 4"]
    evidence: dict[str, Any] = {}
    with pytest.raises(CheckFailed) as failed:
        report(judge(parse(lines, SUBJECTS), see), evidence, 7.0)

    assert (failed.value.reason, failed.value.latency_ms) == ("status", 7.0)
    assert failed.value.message == "status is 503, expected < 400; json $.count is 3, expected == 4"
    assert evidence["conditions"] == [
        {"condition": "status < 400", "seen": "503", "met": False},
        {"condition": "warn time < 1 s", "seen": "1.2 s", "met": False},
        {"condition": "size > 1", "seen": "1,500,000 bytes", "met": True},
        {"condition": "json $.count == 4", "seen": "3", "met": False},
    ]


def test_a_warning_alone_is_degraded() -> None:
    lines = ["warn time < 1 s", "size > 1"]
    assert report(judge(parse(lines, SUBJECTS), see), {}, 1.0) == ("slow", "time is 1.2 s, expected < 1 s")
    assert report(judge(parse(lines[1:], SUBJECTS), see), {}, 1.0) is None


def test_many_failures_are_told_shortly() -> None:
    findings = judge(parse(["status < 4"] * 9, SUBJECTS), see)
    with pytest.raises(CheckFailed, match=r"expected < 4; status .* < 4; status .* < 4; 6 more$"):
        report(findings, {}, 1.0)


@pytest.mark.parametrize(
    "line", ["json $.a == 1", "json $.a missing", "json $.a not contains b", "json $ | length > 0"]
)
def test_what_cannot_be_read_meets_no_condition(line: str) -> None:
    (finding,) = judge(parse([line], SUBJECTS), lambda each: at(read_json(b"<html>"), each.argument))
    assert (finding.met, finding.seen) == (False, "in a body that is not JSON")


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"[" * 100_000, b'"\\ud800"', b"1e999", b"NaN", b"{} {}"])
def test_odd_documents_are_no_crash(body: bytes) -> None:
    judge(parse(["json $ exists", "json $..a == 1"], SUBJECTS), lambda each: at(read_json(body), each.argument))


def test_long_values_are_told_shortly_and_not_written_out() -> None:
    document = {"s": "x" * 10_000, "l": [list(range(100))] * 100, "d": {"k" * 3000: 1}}
    for line in ("json $.s missing", "json $.l missing", "json $.d missing"):
        (finding,) = judge(parse([line], SUBJECTS), lambda each: at(document, each.argument))
        assert len(finding.seen) < 150


def test_a_path_that_visits_too_much_ends_soon() -> None:  # TRAP 19
    document: Any = 0
    for _ in range(9):
        document = [document] * 7  # 40 million values, if somebody walked them all
    started = time.process_time()
    seen = at(document, path("$..a..b..c"))
    assert isinstance(seen, Unreadable)
    assert "narrower path" in seen.words
    assert time.process_time() - started < 5


def test_a_document_that_is_too_deep_for_the_path() -> None:
    document: Any = 0
    for _ in range(500):
        document = [document]
    with pytest.raises(TooMuch, match="too deeply"):
        path("$..a").values(document)


@pytest.mark.parametrize("source", [r"(a+)+$", r"(a|a)*$", r"(a|aa)+$", r"([a-z]+)*\d", r"(.*a){20}"])
def test_expressions_that_hang_other_engines_end_soon(source: str) -> None:  # TRAP 19
    started = time.process_time()
    pattern(source).found_in("a" * 200_000 + "!")
    assert time.process_time() - started < 5


def test_a_costly_expression_looks_at_less_of_the_text() -> None:  # TRAP 19
    costly = pattern("[ab]*a[ab]{900}c")
    text = "ab" * (EFFORT // costly.steps)
    started = time.process_time()
    assert not costly.found_in(text + "c")
    assert time.process_time() - started < 10
    assert pattern("c$").found_in(text + "c")
