"""Threads that connect only to where they may, whatever library opens the connection.

Python tells an audit hook (PEP 578) of every connection before it is made, with the address that it is made to. A hook
cannot be taken out again; it minds the threads that are guarded, and costs the others a comparison of words.
"""

from __future__ import annotations

import errno
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from pinguin.guard import Guard, in_words

_EVENTS = {"socket.connect", "socket.sendto", "socket.sendmsg"}


class _Here(threading.local):
    guard: Guard | None = None
    refusals: list[str]


_HERE = _Here()


@contextmanager
def guarded(guard: Guard) -> Iterator[list[str]]:
    """This thread, for the block. What was refused is in the list, in words. A thread that it starts is not guarded."""
    _watch()
    _HERE.guard, _HERE.refusals = guard, []
    try:
        yield _HERE.refusals
    finally:
        _HERE.guard = None


@cache
def _watch() -> None:
    sys.addaudithook(_hook)


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if event in _EVENTS and _HERE.guard is not None:
        _judge(_HERE.guard, arguments[1])


def _judge(guard: Guard, place: Any) -> None:
    """Raises OSError. place: as `connect` got it; of a family without hosts, or None, it is no business of ours."""
    if not isinstance(place, tuple) or len(place) < 2 or not isinstance(place[0], str):
        return
    for ip in _addresses(place[0]):
        if refusal := guard.refusal(ip):
            words = in_words(place[0], refusal)
            _HERE.refusals.append(words)
            raise PermissionError(errno.EACCES, words)


def _addresses(host: str) -> list[str]:
    """Libraries look names up first, nearly all of them: where one leaves it to `connect`, all its addresses count."""
    try:
        return [str(item[4][0]) for item in socket.getaddrinfo(host or "0.0.0.0", None)]
    except (OSError, UnicodeError):
        return []
