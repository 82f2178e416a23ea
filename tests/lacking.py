"""What a machine may lack for some tests."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def lacks(words: str) -> NoReturn:
    """On a laptop the test is skipped; on CI, where nothing may be missing, that would hide that it never ran."""
    if os.environ.get("CI"):
        pytest.fail(words)
    pytest.skip(words)
