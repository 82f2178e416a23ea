"""An empty outbox."""

from __future__ import annotations

import pytest

from pinguin.db import Pool
from tests.alerts_sql.outbox import Outbox


@pytest.fixture
async def outbox(pool: Pool) -> Outbox:
    return Outbox(pool)
