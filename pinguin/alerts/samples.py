"""Messages as they might come, for previews, for trying templates and for the documentation.

They hold quotes, angle brackets and a line break where real ones may: a template that forgets to escape fails here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from pinguin.alerts.contract import Item, Message, Vote

BASE_URL = "https://pinguin.example.org"
NOON = datetime(2026, 1, 8, 12, 0, 5, tzinfo=UTC)


def down() -> Message:
    return _message(_outage("down"), sent=NOON + timedelta(seconds=61))


def up() -> Message:
    item = _outage("up", at=NOON + timedelta(minutes=7), duration_s=420.0)
    return _message(item, sent=item.at + timedelta(seconds=1))


def reminder() -> Message:
    return _message(_outage("reminder", duration_s=7500.0), sent=NOON + timedelta(seconds=7500))


def late() -> Message:
    item = _outage("down", ended_at=NOON + timedelta(minutes=7), duration_s=420.0)
    return _message(item, sent=NOON + timedelta(minutes=12))


def degraded() -> Message:
    item = _outage(
        "degraded",
        reason="slow",
        message="answered after 2,104 ms, slower than 1,000 ms",
        status_code=200,
        latency_ms=2104.0,
        confirmed_at=NOON,
        votes=(),
        last_outage_s=None,
    )
    return _message(item, sent=NOON + timedelta(seconds=1))


def certificate() -> Message:
    item = Item(
        kind="certificate",
        at=NOON,
        monitor="shop",
        monitor_id=7,
        type="http",
        target="https://shop.example.org/",
        tags=["shop", "live"],
        days_left=7,
        expires_at=NOON + timedelta(days=7, hours=3),
        certificate={
            "subject": "shop.example.org",
            "issuer": "Example CA",
            "not_after": (NOON + timedelta(days=7, hours=3)).isoformat(),
        },
        url=f"{BASE_URL}/monitors/7",
    )
    return _message(item, sent=NOON + timedelta(seconds=1))


def digest(size: int = 50) -> Message:
    """`size` monitors down, most of them on one host, and three up."""
    items = [_outage("down", monitor=f"db1 service {number:02}", **_shared(number, size)) for number in range(size)]
    items += [_outage("up", monitor=f"mail {number}", monitor_id=900 + number, duration_s=90.0) for number in range(3)]
    return _message(*items, sent=NOON + timedelta(seconds=63))


def test() -> Message:
    return trial("ops", BASE_URL, NOON, "sample")


def trial(channel: str, base_url: str, now: datetime, key: str) -> Message:
    """What “send a test” sends."""
    words = "this channel works; so will alerts arrive"
    item = Item(kind="test", at=now, monitor=channel, message=words, url=base_url)
    return Message(key=key, channel=channel, items=[item], sent_at=now, base_url=base_url, test=True)


SAMPLES: Mapping[str, Callable[[], Message]] = {
    each.__name__: each for each in (down, up, reminder, late, degraded, certificate, digest, test)
}


def _shared(number: int, size: int) -> dict[str, Any]:
    cause = f"{size - 5} of them share the host db1.example.org" if number >= 5 else None
    return {"monitor_id": 100 + number, "at": NOON + timedelta(seconds=number % 3), "cause": cause}


def _outage(kind: str, **changes: Any) -> Item:
    facts: dict[str, Any] = {
        "at": NOON,
        "monitor": 'shop "front" <door>',
        "monitor_id": 7,
        "type": "http",
        "target": "https://shop.example.org/",
        "tags": ["shop", "live"],
        "incident_id": 41,
        "confirmed_at": NOON + timedelta(seconds=60),
        "reason": "status",
        "message": 'answered 503 "Service Unavailable";\naccepted: 200-299',
        "region": "local",
        "status_code": 503,
        "latency_ms": 84.0,
        "phases_ms": {"dns": 1.2, "connect": 12.0, "tls": 31.0, "first_byte": 39.0, "transfer": 0.8},
        "address": "192.0.2.10:443",
        "certificate": {
            "subject": "shop.example.org",
            "issuer": "Example CA",
            "not_after": "2026-03-01T00:00:00+00:00",
        },
        "evidence": {"http": {"status": 503, "body": '<h1>"Sorry"</h1>'}},
        "last_outage_s": 190.0,
        "last_outage_at": NOON - timedelta(days=9),
        "votes": [
            Vote(region="local", status="down", message='answered 503 "Service Unavailable"'),
            Vote(region="eu-west", status="up"),
        ],
        "url": f"{BASE_URL}/incidents/41",
        "acknowledge_url": f"{BASE_URL}/incidents/41/acknowledge",
    }
    return Item(kind=kind, **{**facts, **changes})


def _message(*items: Item, sent: datetime) -> Message:
    return Message(key="8f14e45f-41-1", channel="ops", items=items, sent_at=sent, base_url=BASE_URL)
