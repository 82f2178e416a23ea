"""What people, scanners and broken programs send."""

from __future__ import annotations

from urllib.parse import quote_plus

MARKUP = "\"'><img src=x onerror=alert(1)>"
VALUES = (
    MARKUP, "", " ", "\x00", "a\x00b", "-1", "0", "9" * 18, "9" * 30, "9" * 5000, "1e309", "nan", "1_0", "٣", "²", "½",
    "\ud83d", "\U0001f427" * 300, "x" * 70_000, "a\nb\tc", "\u2028\u202e\x85", "{{ 7 * 7 }}", "{% for a in b %}",
    "%(x)s %s {}", "../../etc/passwd", "//evil.test", "/\\evil.test", "/ä\U0001f427", "javascript:alert(1)",
    "http://u:p@[::1]:99999/", "http://[", "https://ä.test/", "a@b\r\nBcc: c@d", "0000-00-00", "0001-01-01T00:00",
    "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59.999999-23:59", "9999-12-31", "9999-12-31T23:59", "1969-12-31",
    "2026-02-30", "2026-W01-1", "24:00", "02:30+05:00", "* * * * *", "0 0 31 2 *", "Europe/Berlin", "posix/UTC",
    "../UTC", "(a+)+$", "[", "null", "[]", "AA==", "Zm9v", "2026-01-01T00:00:00+00:00_1", "local", "once", "cron",
)  # fmt: skip
"""For any field: most is refused."""
HOSTILE = (
    "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "'; drop table monitors; --", "%_\\", "{{ 7 * 7 }}",
    "\u202e\u0000", "x" * 5000,
)  # fmt: skip
"""For names and searches: where it is taken, it comes back as it was typed."""


def encoded(fields: dict[str, str]) -> bytes:
    """As a form, lone surrogates too, which no browser sends."""
    texts = ((quote_plus(each.encode("utf-8", "surrogatepass")) for each in pair) for pair in fields.items())
    return "&".join("=".join(pair) for pair in texts).encode()
