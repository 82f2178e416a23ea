"""Finding the embedded stack that already runs in the data folder: for doctor, psql, demo."""

from __future__ import annotations

import msgspec

from pinguin.embedded.sockets import DATABASE, database_url, redis_url, socket_place
from pinguin.secrets import FILE, with_key_file
from pinguin.settings import Settings


def attached(settings: Settings) -> Settings:
    """`settings` with addresses and key of the embedded stack, if one runs here and no other address was given."""
    defaults = Settings()
    sockets = socket_place(settings.data)
    if settings.database_url != defaults.database_url or not (sockets / DATABASE).exists():
        return settings
    found = msgspec.structs.replace(settings, database_url=database_url(sockets), redis_url=redis_url(sockets))
    return with_key_file(found, settings.data / FILE)
