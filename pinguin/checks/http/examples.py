"""For the documentation: what the HTTP check can do, by example."""

from __future__ import annotations

from pinguin.fields import Examples

EXAMPLES: Examples = [
    ("A page that answers.", {"url": "https://example.org/"}),
    (
        "An API that must be quick and well.",
        {
            "url": "https://api.example.org/health",
            "headers": {"Accept": "application/json"},
            "conditions": ['json $.status == "ok"', "header content-type contains json", "warn time < 500 ms"],
        },
    ),
    (
        "A page behind a password, without redirects, over IPv6.",
        {
            "url": "https://intranet.example.org/",
            "username": "monitor",
            "password": "correct horse",
            "max_redirects": 0,
            "accepted_statuses": ["200", "301-302"],
            "ip_version": "6",
        },
    ),
    (
        "A form that is sent, in spite of a certificate that nobody trusts.",
        {
            "url": "https://192.0.2.1/login",
            "method": "POST",
            "body_kind": "form",
            "body": "user=monitor",
            "verify_tls": False,
            "keyword": "welcome",
        },
    ),
]
