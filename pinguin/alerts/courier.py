"""Delivers one message to one channel, bounded in time whatever a library does, and says what was answered."""

from __future__ import annotations

import asyncio
import secrets
import time
import traceback
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

import structlog

from pinguin.alerts.channels import channel_type
from pinguin.alerts.contract import (
    MOST_ANSWER,
    PLACE,
    Answer,
    ChannelOptions,
    ChannelType,
    Context,
    Delivery,
    Failed,
    Message,
    NotDelivered,
    Outcome,
    Refused,
    Rendered,
)
from pinguin.alerts.render import bare, render
from pinguin.alerts.samples import trial
from pinguin.alerts.threads import Crowded, Threads
from pinguin.errors import InvalidInput, SealBroken
from pinguin.fields import describe
from pinguin.scrub import Scrubber
from pinguin.secrets import Keys
from pinguin.settings import Settings

log = structlog.get_logger(__name__)

T = TypeVar("T")

TIMEOUT_S = 30.0
GRACE_S = 1.0
"""What a delivery that was cut off gets to close its sockets."""
REMEMBERED = 1000
"""Messages of which parts are delivered; a process that forgets sends these parts twice."""


class Courier:
    """One for each process that sends. It belongs to one event loop."""

    def __init__(self, settings: Settings, keys: Keys | None = None) -> None:
        """Raises `SettingsError` where the key's file cannot be read."""
        self._settings = settings
        self._keys = Keys.of(settings) if keys is None else keys
        self._threads = Threads()
        self._delivered: OrderedDict[str, set[str]] = OrderedDict()
        self._cut_off: set[asyncio.Task[Answer]] = set()

    async def deliver(
        self,
        kind: str,
        options: Mapping[str, Any],
        message: Message,
        *,
        subject: str = "",
        body: str = "",
        timeout: float = TIMEOUT_S,
    ) -> Delivery:
        """Try once, for `timeout` seconds at most. Never raises, except when it is cancelled.

        options: as they are stored, sealed, or as somebody has just typed them. subject, body: the channel's templates.
        """
        begun = time.perf_counter()
        rendered = None
        try:
            rendered = await self._in_thread(message, _words, message, subject, body)
            answer = await self._deliver(kind, options, rendered, timeout)
            outcome = Outcome(ok=True, answer=answer.text, status=answer.status, latency_ms=_since(begun))
        except Refused as error:
            outcome = _not_delivered(error, begun, permanent=True, alone=error.alone)
        except Failed as error:
            outcome = _not_delivered(error, begun, unsure=error.unsure, retry_after_s=error.retry_after_s)
        return Delivery(outcome, rendered.subject, rendered.text) if rendered else Delivery(outcome)

    async def send_test(
        self,
        kind: str,
        options: Mapping[str, Any],
        channel_name: str,
        base_url: str = "",
        *,
        subject: str = "",
        body: str = "",
        timeout: float = TIMEOUT_S,
    ) -> Outcome:
        """Try a channel, saved or not: the same way, with a message that says so."""
        message = trial(channel_name, base_url, datetime.now(UTC), f"test-{secrets.token_hex(8)}")
        return (await self.deliver(kind, options, message, subject=subject, body=body, timeout=timeout)).outcome

    async def close(self) -> None:
        """Let go of what was cut off."""
        for task in self._cut_off:
            task.cancel()
        if self._cut_off:
            await asyncio.wait(self._cut_off, timeout=GRACE_S)

    async def _deliver(self, kind: str, options: Mapping[str, Any], rendered: Rendered, timeout: float) -> Answer:
        """Raises `Refused` or `Failed`, with answers that hold no secret."""
        found, parsed = await self._in_thread(rendered.message, self._opened, kind, options)
        scrubber = Scrubber(_secrets(found, parsed))
        context = self._context(rendered, timeout)
        try:
            answer = await self._bounded(found, parsed, rendered, context)
        except NotDelivered as error:
            error.answer = _scrubbed(error.answer, scrubber)
            raise
        self._delivered.pop(rendered.message.key, None)
        return _scrubbed(answer, scrubber)

    async def _in_thread(self, message: Message, function: Callable[..., T], *arguments: Any) -> T:
        """A digest of a thousand, a template at its limits or Apprise's first URL would hold up a worker's loop."""
        try:
            return await self._threads.run(message.channel, function, *arguments)
        except Crowded as error:
            raise Failed(f"not tried: {error}") from None

    def _opened(self, kind: str, options: Mapping[str, Any]) -> tuple[ChannelType, ChannelOptions]:
        try:
            found = channel_type(kind)
            return found, found.parse(self._keys.unseal_fields(options, found.options, PLACE))
        except InvalidInput as error:
            raise Refused(f"this channel's options are not valid: {error}") from None
        except SealBroken as error:  # mended in the settings of this process: the next try may do better
            raise Failed(str(error)) from None

    def _context(self, rendered: Rendered, timeout: float) -> Context:
        key = rendered.message.key
        delivered = self._delivered.setdefault(key, set())
        self._delivered.move_to_end(key)
        while len(self._delivered) > REMEMBERED:
            self._delivered.popitem(last=False)
        return Context(timeout, self._threads, self._settings, delivered)

    async def _bounded(
        self, kind: ChannelType, options: ChannelOptions, rendered: Rendered, context: Context
    ) -> Answer:
        """As a task of its own: one that does not heed its cancellation is left behind, not waited for."""
        task = asyncio.ensure_future(_sent(kind, options, rendered, context))
        try:
            done, _ = await asyncio.wait({task}, timeout=context.timeout)
        except asyncio.CancelledError:
            task.cancel()
            raise
        if not done:
            task.cancel()
            self._cut_off.add(task)
            task.add_done_callback(self._forget)
            await asyncio.wait({task}, timeout=GRACE_S)
            raise Failed(_too_late(context), unsure=context.sent)
        return task.result()

    def _forget(self, task: asyncio.Task[Answer]) -> None:
        self._cut_off.discard(task)
        if not task.cancelled():
            task.exception()


def _words(message: Message, subject: str, body: str) -> Rendered:
    """Our own bug in the wording of an alert must not keep the alert from anybody."""
    try:
        return render(message, subject, body)
    except Exception as error:
        frames = "".join(traceback.format_tb(error.__traceback__))
        log.error("rendering crashed", channel=message.channel, error=type(error).__name__, frames=frames)
        return bare(message)


async def _sent(kind: ChannelType, options: ChannelOptions, rendered: Rendered, context: Context) -> Answer:
    """Raises `Refused` or `Failed` for everything that may go wrong."""
    if obstacle := kind.off(context.settings):
        raise Failed(obstacle)
    try:
        return await kind.send(options, rendered, context)
    except NotDelivered:
        raise
    except Crowded as error:
        raise Failed(f"not tried: {error}") from None
    except Exception as error:
        # Frames and the exception's type alone: its text may hold an option's value. TRAP 24
        frames = "".join(traceback.format_tb(error.__traceback__))
        log.error("channel crashed", channel_kind=kind.name, error=type(error).__name__, frames=frames)
        words = f"the channel kind itself failed with {type(error).__name__}; the log has the details"
        raise Failed(words, unsure=context.sent) from None


def _not_delivered(error: NotDelivered, begun: float, **more: Any) -> Outcome:
    return Outcome(ok=False, answer=error.answer.text, status=error.answer.status, latency_ms=_since(begun), **more)


def _since(begun: float) -> float:
    return (time.perf_counter() - begun) * 1000


def _secrets(kind: ChannelType, options: ChannelOptions) -> Iterator[str]:
    for option in describe.options_of(kind.options):
        if option.secret:
            yield from _texts(getattr(options, option.name))
    yield from kind.secrets(options)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
        yield from value.split()[1:]  # Bearer …
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)


def _scrubbed(answer: Answer, scrubber: Scrubber) -> Answer:
    """Bounded afterwards: the beginning of a secret at the cut would not be found any more.

    As text that the database takes: what cannot be written down would be sent again and again.
    """
    text = scrubber.text(answer.text.encode("utf-8", "replace").decode().replace("\x00", "\ufffd"))
    return Answer(text if len(text) <= MOST_ANSWER else text[: MOST_ANSWER - 1] + "…", answer.status)


def _too_late(context: Context) -> str:
    stage = f" ({context.stage})" if context.stage else ""
    return f"no answer within {context.timeout:g} s{stage}"
