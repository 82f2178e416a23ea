"""ETags of one thing: `"<mark>.<sum>"`.

The sum is that of all that is answered, so a page that nothing happened to is a 304. The mark is that of what people
may edit alone, and is what `If-Match` looks at: a check that came between reading and writing is in nobody's way.
"""

from __future__ import annotations

import hashlib


def tag(mark: str, content: bytes) -> str:
    return f'"{marked(mark)}.{_sum(content)}"'


def marked(mark: str) -> str:
    return _sum(mark.encode())


def matches(if_match: str | None, mark: str) -> bool:
    """Whether a change may go on: the header is absent, `*`, or names an ETag with this mark."""
    if if_match is None or if_match.strip() == "*":
        return True
    wanted = marked(mark)
    return any(each.partition(".")[0] == wanted for each in _tags(if_match) if not each.startswith("W/"))


def known(if_none_match: str | None, tag: str) -> bool:
    """Whether who asks has this answer already."""
    if if_none_match is None:
        return False
    return if_none_match.strip() == "*" or tag.strip('"') in _tags(if_none_match.replace("W/", ""))


def _tags(header: str) -> list[str]:
    return [each.strip().strip('"') for each in header[:4000].split(",")]


def _sum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
