"""Numbers of things in sentences."""

from __future__ import annotations


def counted(number: float, word: str) -> str:
    """`1 byte`, `2 bytes`, `70000 bytes`. word: the thing's, of one."""
    return f"{number:.12g} {word}" + ("" if number == 1 else "s")
