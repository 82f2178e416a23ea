"""A watch that begins, and times after that."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from pinguin.push import Rules, Watch, plan

BEGAN = datetime(2026, 3, 28, 12, tzinfo=UTC)
"""The day before clocks go forward in Europe."""
A, B = UUID(int=1), UUID(int=2)


def fresh(rules: Rules, at: datetime = BEGAN) -> Watch:
    return plan(Watch(version=None, base_at=at, changed_at=at), rules, 1)


def after(seconds: float) -> datetime:
    return BEGAN + timedelta(seconds=seconds)
