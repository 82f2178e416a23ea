"""What is said, and what a channel kind is: one module in channels/ with three names.

    TITLE = "Webhook"                                    # as people read it

    class Options(ChannelOptions, frozen=True):          # strict; its annotations draw the form and the docs
        url: Annotated[str, field("URL", "Where it goes.", secret=True)]
        def target(self) -> str: ...

    async def send(options: Options, rendered: Rendered, context: Context) -> Answer: ...

and where they fit: `EXAMPLES`; `secrets(options)`, more texts that no answer may show; `off(settings)`, why the kind
cannot be used here.

`send` returns an `Answer` (delivered), or raises `Refused` (no try will help) or `Failed` (another try may). Any other
exception is our own bug: as `Failed`, and unsure. The courier bounds the whole, and scrubs what was answered.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from datetime import datetime
from types import ModuleType
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from pinguin.alerts.threads import Threads
from pinguin.fields import Examples, StrictOptions, convert
from pinguin.settings import Settings

KINDS: Mapping[str, str] = {
    "down": "an outage began",
    "reminder": "an outage still lasts",
    "pipeline": "something is wrong with Pinguin itself",
    "unknown": "nobody knows how a monitor is",
    "flapping": "a monitor goes up and down again and again; nothing more is said until it is stable",
    "degraded": "a target answers, but not well",
    "slow": "a percentile of the answers' times is above its limit",
    "certificate": "a certificate ends soon, or has ended",
    "domain": "a domain's registration ends soon, or has ended",
    "up": "an outage is over",
    "known": "it is known again how a monitor is",
    "stable": "a monitor has stopped flapping",
    "ok": "a target answers well again",
    "fast": "the percentile is below its limit again",
    "pipeline_over": "Pinguin itself is right again",
    "test": "somebody tries the channel",
}
"""What an item may be about, the gravest first: digests are in this order."""

PLACE = "channels"
"""Where sealed options are kept, as `Keys.seal_fields` wants it."""

MOST_ANSWER = 2000
"""Characters of a provider's answer that are kept."""


class Vote(msgspec.Struct, frozen=True, kw_only=True):
    """What one region found."""

    region: Annotated[str, Meta(description="where the check ran")]
    status: Annotated[str, Meta(description="up, degraded, down or unknown")]
    message: Annotated[str | None, Meta(description="why, in a sentence")] = None


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened. Times are aware, UTC."""

    kind: Annotated[str, Meta(description="what happened; see the kinds below")]
    at: Annotated[datetime, Meta(description="when it happened: when the outage began, or ended, …")]
    monitor: Annotated[str, Meta(description="the monitor's name; of Pinguin's own trouble, what has it")]
    monitor_id: Annotated[int | None, Meta(description="the monitor's number")] = None
    type: Annotated[str, Meta(description="its check type: http, tcp, …")] = ""
    target: Annotated[str, Meta(description="what it watches, without secrets")] = ""
    tags: Annotated[Sequence[str], Meta(description="the monitor's tags")] = ()
    incident_id: Annotated[int | None, Meta(description="the outage's number")] = None
    ended_at: Annotated[
        datetime | None, Meta(description="of an outage that was over before this was sent: when it ended")
    ] = None
    confirmed_at: Annotated[datetime | None, Meta(description="when enough checks in a row had said so")] = None
    reason: Annotated[str | None, Meta(description="a short code: refused, timeout, status, …")] = None
    message: Annotated[str | None, Meta(description="why, in a sentence")] = None
    region: Annotated[str, Meta(description="where it was seen")] = ""
    status_code: Annotated[int | None, Meta(description="the HTTP status of the failing answer")] = None
    latency_ms: Annotated[float | None, Meta(description="how long the answer took, in ms")] = None
    phases_ms: Annotated[
        Mapping[str, float], Meta(description="ms by phase: dns, connect, tls, first_byte, transfer")
    ] = msgspec.field(default_factory=dict)
    address: Annotated[str | None, Meta(description="the address that was asked")] = None
    certificate: Annotated[
        Mapping[str, Any], Meta(description="the certificate: subject, issuer, not_after, … as the check found it")
    ] = msgspec.field(default_factory=dict)
    evidence: Annotated[Mapping[str, Any], Meta(description="what else the check saw, bounded")] = msgspec.field(
        default_factory=dict
    )
    duration_s: Annotated[float | None, Meta(description="seconds of the outage: so far, or in all")] = None
    last_outage_s: Annotated[float | None, Meta(description="seconds of the outage before this one")] = None
    last_outage_at: Annotated[datetime | None, Meta(description="when that one began")] = None
    votes: Annotated[Sequence[Vote], Meta(description="what each region found")] = ()
    cause: Annotated[str | None, Meta(description="what those that fail together have in common")] = None
    days_left: Annotated[int | None, Meta(description="days until the certificate or domain ends; negative: since")] = (
        None
    )
    expires_at: Annotated[datetime | None, Meta(description="when it ends")] = None
    url: Annotated[str, Meta(description="the page of the incident or the monitor")] = ""
    acknowledge_url: Annotated[str, Meta(description="the page on which to acknowledge the outage")] = ""
    resolved_by: Annotated[
        str | None, Meta(description="who declared an outage over by hand; the target may still be down")
    ] = None
    note: Annotated[str | None, Meta(description="what somebody wrote who acknowledged or resolved it")] = None


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """What one message says: facts, not text. The same `key` for every try."""

    key: Annotated[str, Meta(description="the same for every try to send this message")]
    channel: Annotated[str, Meta(description="the channel's name")]
    items: Annotated[Sequence[Item], Meta(min_length=1, description="what happened: one, or many in a digest")]
    sent_at: Annotated[datetime, Meta(description="now")]
    base_url: Annotated[str, Meta(description="where Pinguin's pages are; empty where that is not known")] = ""
    test: Annotated[bool, Meta(description="whether somebody only tries the channel")] = False

    @property
    def item(self) -> Item:
        return self.items[0]

    @property
    def digest(self) -> bool:
        return len(self.items) > 1


@dataclass(frozen=True, slots=True)
class Rendered:
    """A message in words. html: a whole document. Both are complete; `message` is for kinds that speak JSON."""

    subject: str
    text: str
    html: str
    message: Message


class Answer(msgspec.Struct, frozen=True):
    """What the provider said. status: of HTTP or SMTP, or a program's exit code."""

    text: str = ""
    status: int | None = None


class NotDelivered(Exception):
    """`Refused` or `Failed`. answer: what the provider said, or why it was not asked."""

    def __init__(self, answer: Answer | str) -> None:
        self.answer = answer if isinstance(answer, Answer) else Answer(answer)
        super().__init__(self.answer.text)


class Refused(NotDelivered):
    """Not delivered, and it will not be however often it is tried: no such address, wrong key, gone.

    alone: it is this message that is refused (too large, not understood), and another may be taken.
    """

    def __init__(self, answer: Answer | str, *, alone: bool = False) -> None:
        super().__init__(answer)
        self.alone = alone


class Failed(NotDelivered):
    """Not delivered, and a later try may help.

    unsure: it may have been delivered all the same (no answer came after it was sent).
    retry_after_s: the provider asks for that long a wait; None where it does not say.
    """

    def __init__(self, answer: Answer | str, *, unsure: bool = False, retry_after_s: float | None = None) -> None:
        super().__init__(answer)
        self.unsure = unsure
        self.retry_after_s = retry_after_s


class ChannelOptions(StrictOptions, frozen=True):
    """The options of a channel kind. `target` says where it goes, in a few words, without secrets."""


@dataclass(slots=True)
class Context:
    """What `send` gets beside its options.

    timeout: of the whole delivery, in seconds; the courier enforces it.
    threads: for what would block; never asyncio's own pool, in which a dead name server holds up everything.
    delivered: parts of this message (a recipient, a URL) that an earlier try delivered; `send` adds to it.
    sent: set by `send` once the provider may have the message, so that a timeout after it is unsure.
    stage: what is waited for now, in words, for the sentence of a timeout.
    """

    timeout: float
    threads: Threads
    settings: Settings
    delivered: set[str] = dataclass_field(default_factory=set)
    sent: bool = False
    stage: str = ""


def no_secrets(_: Any) -> Iterable[str]:
    return ()


def always_on(_: Settings) -> str | None:
    return None


Send = Callable[[Any, Rendered, Context], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class ChannelType:
    """A channel kind as the scan found it. off: why it cannot be used with these settings and how to mend it."""

    name: str
    title: str
    options: type[ChannelOptions]
    send: Send
    doc: str
    examples: Examples = ()
    secrets: Callable[[Any], Iterable[str]] = no_secrets
    off: Callable[[Settings], str | None] = always_on

    @classmethod
    def of(cls, module: ModuleType) -> ChannelType:
        return cls(
            module.__name__.rpartition(".")[2],
            module.TITLE,
            module.Options,
            module.send,
            (module.__doc__ or "").strip(),
            getattr(module, "EXAMPLES", ()),
            getattr(module, "secrets", no_secrets),
            getattr(module, "off", always_on),
        )

    def parse(self, options: Mapping[str, Any]) -> ChannelOptions:
        """Options from plain JSON types, unsealed. Raises `InvalidInput` that names each wrong field."""
        return convert(options, self.options)


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a try ended. answer: what the provider said, scrubbed, at most `MOST_ANSWER` characters.

    permanent, alone, unsure, retry_after_s: as `Refused` and `Failed` say. status: of HTTP or SMTP, or an exit code.
    """

    ok: bool
    answer: str
    latency_ms: float
    status: int | None = None
    permanent: bool = False
    alone: bool = False
    unsure: bool = False
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """A try, and the words that were sent. Without words, the options did not let it come so far."""

    outcome: Outcome
    subject: str = ""
    text: str = ""
