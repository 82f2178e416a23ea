"""From the rows of a message to what it says. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import structlog

from pinguin.alerts.contract import Item, Message, Vote
from pinguin.cause import Guess
from pinguin.store.alerts import Claimed, ItemRow

_log = structlog.get_logger(__name__)

OUTAGE = ("down", "reminder", "up", "flapping")
"""Kinds whose words are those of the incident; of the others they are those of the status."""


def outages(rows: Sequence[ItemRow]) -> list[int]:
    """The incidents that these rows begin to tell of."""
    return [row.incident_id for row in rows if row.kind == "down" and row.incident_id is not None]


def letter(claimed: Claimed, rows: Sequence[ItemRow], base_url: str, guess: Guess | None = None) -> Message:
    """The message that `claimed` is about. base_url: where people open Pinguin's pages, or empty.

    guess: what the outages among them have in common.
    """
    base = base_url.rstrip("/")
    return Message(
        key=claimed.key,
        channel=claimed.channel,
        items=[_said(row, claimed.as_of, base, guess) for row in rows],
        sent_at=claimed.as_of,
        base_url=base,
    )


def _said(row: ItemRow, as_of: datetime, base: str, guess: Guess | None) -> Item:
    """Facts that nobody foresaw must not keep the alert, or those beside it, from anybody."""
    try:
        return _item(row, as_of, base, guess)
    except Exception as error:
        _log.error("item_without_facts", kind=row.kind, monitor=row.monitor_id, exc_info=error)
        return Item(
            kind=row.kind,
            at=row.at,
            monitor=row.monitor,
            monitor_id=row.monitor_id,
            incident_id=row.incident_id,
            message=row.message,
        )


def _item(row: ItemRow, as_of: datetime, base: str, guess: Guess | None) -> Item:
    if row.pipeline_message is not None:
        return Item(
            kind=row.kind,
            at=row.at,
            monitor=row.monitor,
            message=row.pipeline_message,
            region=row.pipeline_region or "",
            ended_at=row.pipeline_ended_at,
            duration_s=_seconds(row.at, row.pipeline_ended_at or as_of) if row.kind == "pipeline" else None,
            url=base and f"{base}/",
        )
    evidence = row.evidence or {}
    outage = row.kind in OUTAGE
    page = f"{base}/incidents/{row.incident_id}" if row.incident_id else f"{base}/monitors/{row.monitor_id}"
    return Item(
        kind=row.kind,
        at=row.at,
        monitor=row.monitor,
        monitor_id=row.monitor_id,
        type=row.type,
        target=row.target,
        tags=row.tags,
        incident_id=row.incident_id,
        ended_at=row.ended_at if row.kind != "up" else None,
        confirmed_at=row.confirmed_at,
        reason=row.reason if outage else row.facts.get("reason") or row.status_reason,
        message=row.message if outage else _words(row),
        region=row.region or "",
        status_code=_number(evidence.get("status_code")),
        latency_ms=row.latency_ms,
        phases_ms=evidence.get("phases_ms") or {},
        address=_address(evidence),
        certificate=evidence.get("certificate") or {},
        evidence=evidence,
        duration_s=_seconds(row.started_at, row.ended_at or as_of),
        last_outage_s=_seconds(row.last_started_at, row.last_ended_at),
        last_outage_at=row.last_started_at,
        votes=[Vote(**vote) for vote in row.votes or ()],
        cause=guess.words if guess and row.kind == "down" and row.monitor_id in guess.monitor_ids else None,
        days_left=row.facts.get("days_left"),
        expires_at=_moment(row.facts.get("expires_at")),
        url=page if base else "",
        acknowledge_url=page if base and row.incident_id and row.ended_at is None else "",
        resolved_by=row.resolved_by if row.kind == "up" else None,
        note=f"{row.note_by}: {row.note}" if row.note else None,
    )


def _words(row: ItemRow) -> str | None:
    """Why, of what is no outage."""
    facts = row.facts
    if row.kind in ("slow", "fast"):
        share, window = f"{facts['percentile']:g}", round(facts["window_s"] / 60)
        return f"p{share} over {window} min is {facts['value_ms']:,.0f} ms, limit {facts['above_ms']:,.0f} ms"
    if row.kind == "stable":
        return f"it has been {row.status} since {row.since:%Y-%m-%d %H:%M} UTC"
    if row.kind in ("certificate", "domain"):
        return facts.get("subject") or None
    return facts.get("message") or row.status_message


def _seconds(began: datetime | None, ended: datetime | None) -> float | None:
    return None if began is None or ended is None else max(0.0, (ended - began).total_seconds())


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _moment(text: Any) -> datetime | None:
    return datetime.fromisoformat(text) if isinstance(text, str) else None


def _address(evidence: Mapping[str, Any]) -> str | None:
    address = evidence.get("address")
    return address if isinstance(address, str) else None
