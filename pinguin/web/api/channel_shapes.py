"""What the API shows and takes of channels."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from pinguin.alerts.contract import ChannelType
from pinguin.errors import InvalidInput
from pinguin.people import Principal, Role
from pinguin.secrets import secret_fields
from pinguin.store.channels import Channel as Stored
from pinguin.web import audited, channel_form, forms
from pinguin.web.api.monitor_shapes import is_secret, opened
from pinguin.web.api.paging import Id
from pinguin.web.api.reading import Body
from pinguin.web.channel_form import OPTION, ChannelFields, Read, Saved
from pinguin.web.channel_views import Shown

Day = Annotated[int, Meta(ge=1, le=7)]


class ChannelDefinition(ChannelFields, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What people write of a channel. Quiet hours: quiet_from, quiet_to and quiet_zone, all three or none."""

    kind: Annotated[str, Meta(description="webhook, email, …; /channel-kinds has them all")]
    options: Annotated[
        dict[str, Any],
        Meta(description="as the kind has them: see /channel-kinds/{kind}. A stored secret that is left out is kept"),
    ] = msgspec.field(default_factory=dict)
    quiet_days: Annotated[
        list[Day], Meta(min_length=1, max_length=7, description="on which quiet hours begin; 1 is Monday")
    ] = msgspec.field(default_factory=lambda: list(range(1, 8)))


class ChannelPatch(Body, kw_only=True, frozen=True):
    """What of it changes; null: as by default."""

    name: str | UnsetType = UNSET
    kind: str | UnsetType = UNSET
    options: dict[str, Any] | UnsetType | None = UNSET
    is_default: bool | UnsetType | None = UNSET
    per_minute: int | UnsetType | None = UNSET
    quiet_from: str | UnsetType | None = UNSET
    quiet_to: str | UnsetType | None = UNSET
    quiet_zone: str | UnsetType | None = UNSET
    quiet_days: list[Day] | UnsetType | None = UNSET
    subject_template: str | UnsetType | None = UNSET
    body_template: str | UnsetType | None = UNSET


class ChannelTrial(ChannelDefinition, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """A channel as it would be saved; it needs no name. channel: one that is saved, whose secrets may be used."""

    name: str = "Test"
    channel: Id | None = None


class Channel(msgspec.Struct, kw_only=True, frozen=True):
    """A channel as it is now. secrets: names of options that are stored and never shown. last_…, again_at: of its
    newest message. held: why what waits does.
    """

    id: Id
    name: str
    kind: str
    target: Annotated[str, Meta(description="where it goes, in a few words, without secrets")]
    options: dict[str, Any]
    secrets: list[str]
    enabled: bool
    state: Literal["works", "new", "failing", "broken", "off"]
    is_default: bool
    per_minute: int
    quiet_from: str
    quiet_to: str
    quiet_zone: str
    quiet_days: list[Day]
    subject_template: str
    body_template: str
    failing_since: datetime | None
    broken_at: datetime | None
    broken_reason: str | None
    updated_at: datetime
    waiting: Annotated[int, Meta(description="notifications that are not told yet")]
    held: list[str]
    last_status: str | None
    last_at: datetime | None
    last_answer: str | None
    again_at: datetime | None


class Sent(msgspec.Struct, kw_only=True, frozen=True):
    """What became of a test message: delivered, failed (another try may help) or refused; the provider's answer."""

    outcome: Literal["delivered", "failed", "refused"]
    answer: str
    latency_ms: float | None


def shape(found: Shown, kind: ChannelType | None, who: Principal) -> Channel:
    channel = found.channel
    hidden = audited.fields(channel.options, kind.options) if kind else {}
    openly = who.may(Role.EDITOR)
    values = {name: getattr(channel, name) for name in Channel.__struct_fields__ if hasattr(channel, name)}
    empty = ("quiet_from", "quiet_to", "quiet_zone", "subject_template", "body_template")
    return Channel(
        **{
            **values,
            **{name: values[name] or "" for name in empty},
            "target": found.target,
            "state": found.state,
            "options": opened(hidden, openly=openly),
            "secrets": [name for name, value in hidden.items() if is_secret(value) and channel.options[name]],
            "held": channel.held or [],
        }
    )


def mark_of(channel: Stored) -> str:
    return f"channel {channel.id} {channel.updated_at.isoformat()}"


def read(kind: ChannelType, sent: Mapping[str, Any], saved: Saved) -> Read:
    """As strictly as the form. Raises `InvalidInput` with every wrong field of all parts."""
    known = ChannelDefinition.__struct_fields__
    wrong = {name[:60]: f"is not a field of a channel; there are {', '.join(known)}" for name in sent.keys() - known}
    options, days = sent.get("options", {}), sent.get("quiet_days", list(range(1, 8)))
    if not isinstance(options, Mapping):
        wrong["options"] = "must be an object"
    if not isinstance(days, list) or not days or not set(map(repr, days)) <= set("1234567"):
        wrong["quiet_days"] = "must be a list of days, 1 (Monday) to 7"
    if wrong:
        raise InvalidInput(wrong)
    own = {name: sent[name] for name in ChannelFields.__struct_fields__ if name in sent}
    secret = secret_fields(kind.options)
    removed = {name for name in secret & options.keys() if not options[name]}
    kept = {name: value for name, value in saved.plain.items() if name in secret and name not in options}
    plain = {name: value for name, value in options.items() if name not in removed} | kept
    said = {OPTION + name + (forms.REMOVE if name in removed else ""): "said" for name in options}
    return channel_form.together(kind, lambda: own, lambda: plain, set(days), said, saved)


def written(channel: Stored, kind: ChannelType | None) -> dict[str, Any]:
    """`channel` as somebody would send it, without its secrets."""
    own = {name: getattr(channel, name) for name in ChannelFields.__struct_fields__}
    own = {name: "" if value is None else value for name, value in own.items()}
    options = opened(audited.fields(channel.options, kind.options), openly=True) if kind else {}
    return {**own, "kind": channel.kind, "options": options, "quiet_days": list(channel.quiet_days)}
