"""What an open list shows, to tell when it has become another one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pinguin.model import Status
from pinguin.store.monitors import Listed
from pinguin.web import list_page
from pinguin.web.asked import Asked


class Shown:
    """What an open list shows: the statuses of its monitors (letters, by id) and how many have each within its filter.

    Where its order or its filter goes by them, a change makes it another list.
    """

    def __init__(
        self, asked: Asked, statuses: dict[int, str] | None = None, within: Mapping[Status, int] | None = None
    ) -> None:
        self.asked = asked
        self.moved = False
        self._statuses = statuses or {}
        self._within = within

    def told(self, listed: Sequence[Listed], within: Mapping[Status, int]) -> bool:
        """These monitors, and these counts, are what the page shows from now on. Whether the counts are others."""
        now = dict(zip((each.id for each in listed), list_page.letters(listed), strict=True))
        changed = any(self._statuses.get(number, letter) != letter for number, letter in now.items())
        other = self._within is not None and within != self._within
        self.moved |= self.asked.moves and (changed or other)
        self._statuses |= now
        self._within = within
        return other
