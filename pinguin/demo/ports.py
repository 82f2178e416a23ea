"""Where each target listens: so many ports behind the first one, all on 127.0.0.1."""

from __future__ import annotations

from typing import Final

from pinguin.errors import SettingsError

HOST: Final = "127.0.0.1"
PAGES, EXPIRING, EXPIRED, SELF_SIGNED, BANNER, NAMES, CLOSED, MUTE = range(8)
COUNT: Final = 8
EPHEMERAL: Final = 32768
"""From here on Linux takes the ports of outgoing connections: one of them could sit on a target's port."""


def check_base(base_port: int) -> None:
    if not 1024 <= base_port <= EPHEMERAL - COUNT:
        raise SettingsError(f"the demo's first port must be between 1024 and {EPHEMERAL - COUNT}, not {base_port}")
