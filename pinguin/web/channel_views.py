"""What the pages say of channels and messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from pinguin.alerts.contract import KINDS, ChannelType, Item, Message
from pinguin.alerts.render import VARIABLES
from pinguin.errors import InvalidInput
from pinguin.fields.describe import fields_of, plain_type
from pinguin.secrets import Keys
from pinguin.store.channels import Channel
from pinguin.web import channel_form

HELD: Mapping[str, str] = {
    "maintenance": "a maintenance is under way",
    "dependency": "a monitor that it depends on is down",
    "dependency?": "perhaps a monitor that it depends on is down too; that is being looked at",
    "snoozed": "the incident is snoozed",
    "flapping": "the monitor is flapping, and that was told",
    "quiet": "quiet hours",
    "broken": "the channel is broken",
    "behind": "an earlier message is not delivered yet",
    "limit": "the limit of messages a minute",
    "channel off": "the channel was switched off or deleted",
    "over": "it was over before it was told",
    "acknowledged": "somebody had acknowledged it",
    "untold": "its beginning was not told",
    "deleted": "the monitor was deleted",
    "refused": "the provider refused this message",
    "a day without success": "a day of tries without success",
}
"""Why something waits, or was not told: notifications.held, and what `waiting` in messages.sql adds."""

STATES: Mapping[str, tuple[str, str]] = {
    "works": ("up", "works"),
    "new": ("pending", "not used yet"),
    "failing": ("degraded", "failing"),
    "broken": ("down", "broken"),
    "off": ("paused", "off"),
}
"""The icon and the word of a channel's state."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A channel as the list shows it. target: where it goes, in a few words. off: why its kind cannot be used here."""

    channel: Channel
    title: str
    target: str
    off: str

    @property
    def state(self) -> str:
        channel = self.channel
        if not channel.enabled:
            return "off"
        if channel.broken_at:
            return "broken"
        if channel.failing_since:
            return "failing"
        return "works" if channel.last_status == "sent" else "new"

    @property
    def icon(self) -> str:
        return STATES[self.state][0]

    @property
    def word(self) -> str:
        return STATES[self.state][1]


def shown(channel: Channel, kinds: Mapping[str, ChannelType], keys: Keys, off: Mapping[str, str]) -> Shown:
    """off: why a kind cannot be used, by its name."""
    kind = kinds.get(channel.kind)
    title = kind.title if kind else channel.kind
    return Shown(channel, title, _target(channel, kind, keys) if kind else "", off.get(channel.kind, ""))


def _target(channel: Channel, kind: ChannelType, keys: Keys) -> str:
    saved = channel_form.opened(channel, kind, keys)
    try:
        return kind.parse(saved.plain).target()
    except InvalidInput:
        return "its secrets do not open: edit it" if saved.broken else "its options have to be entered again"


@dataclass(frozen=True, slots=True)
class Variable:
    """One name that a template may use."""

    name: str
    type: str
    meaning: str


def variables() -> Sequence[tuple[str, Sequence[Variable]]]:
    """What templates may use, read from the code: their variables, and the fields of what these hold."""
    own = [Variable(name, *told) for name, told in VARIABLES.items()]
    kinds = [Variable(name, "", meaning) for name, meaning in KINDS.items()]
    return [
        ("Variables", own),
        ("item", _fields("item", Item)),
        ("message", _fields("message", Message)),
        ("The values of item.kind", kinds),
    ]


def _fields(name: str, struct: type[msgspec.Struct]) -> list[Variable]:
    return [
        Variable(f"{name}.{each.encode_name}", "", plain_type(each.type)[1].get("description", ""))
        for each in fields_of(struct)
    ]
