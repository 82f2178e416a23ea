"""Any of the services that [Apprise](https://github.com/caronc/apprise/wiki) speaks to: Telegram, Slack, Discord,
ntfy, Pushover, Matrix, SMS gateways and a hundred more, each by its URL.

Each URL is tried by itself; where one fails, only that one is tried again. Apprise says whether a service took the
message, and not whether another try can help, so all failures are tried again, for a day at most.

What would act on the worker's own machine (desktop notifications, its syslog) is off, and so are URLs that name a file
or another place to read from (`?template=`, `?keyfile=`).
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
import threading
from collections.abc import Iterable
from functools import cache
from typing import Annotated, Literal
from urllib.parse import unquote

import apprise
from apprise.manager_attachment import AttachmentManager

from pinguin.alerts.contract import Answer, ChannelOptions, Context, Failed, Rendered
from pinguin.alerts.guarded import guarded
from pinguin.alerts.voices import tone
from pinguin.alerts.words import one_line
from pinguin.errors import InvalidInput
from pinguin.fields import Examples, field
from pinguin.guard import Guard

TITLE = "Apprise"

LOCAL = {"blink1", "dbus", "gio", "glib", "gnome", "kde", "macosx", "qt", "syslog", "windows"}
"""Services that are not somewhere else: what they do, they do to the worker's machine."""
MOST_LINES = 20

_SCHEMA = re.compile(r"([a-z0-9]{1,20})://\S", re.IGNORECASE)
_TYPES = {
    "bad": apprise.NotifyType.FAILURE,
    "warn": apprise.NotifyType.WARNING,
    "good": apprise.NotifyType.SUCCESS,
    "plain": apprise.NotifyType.INFO,
}
_FORMATS = {
    "text": apprise.NotifyFormat.TEXT,
    "html": apprise.NotifyFormat.HTML,
    "markdown": apprise.NotifyFormat.MARKDOWN,
}

EXAMPLES: Examples = (
    ("A topic of ntfy:", {"urls": ["ntfys://ntfy.example.org/pinguin"]}),
    (
        "A Telegram chat and a Matrix room, with what a template in Markdown makes:",
        {
            "urls": ["tgram://123456789:AAbbccddeeffgghhiijjkkllmmnnoopp/12315544/", "matrixs://u:p@example.org/#ops"],
            "format": "markdown",
        },
    ),
)


class Options(ChannelOptions, frozen=True):
    urls: Annotated[
        list[str],
        field("URLs", "One a line, as Apprise writes them.", secret=True, min_length=1, max_length=10),
    ]
    format: Annotated[
        Literal["text", "html", "markdown"],
        field("Format", "What the text is; Apprise turns it into what the service takes."),
    ] = "text"

    def __post_init__(self) -> None:
        for place, url in enumerate(self.urls, 1):
            if wrong := _wrong(url):
                raise InvalidInput({"urls": f"line {place} {wrong}"})

    def target(self) -> str:
        return ", ".join(dict.fromkeys(_schema(url) for url in self.urls))


async def send(options: Options, rendered: Rendered, context: Context) -> Answer:
    """Raises `Failed`."""
    left = {_mark(url): url for url in options.urls if _mark(url) not in context.delivered}
    context.sent, context.stage = True, "waiting for Apprise"
    tries = [_one(url, options, rendered, context) for url in left.values()]
    outcomes = await asyncio.gather(*tries)
    taken = {mark for mark, (ok, _) in zip(left, outcomes, strict=True) if ok}
    context.delivered |= taken
    text = "\n".join(lines for _, lines in outcomes)
    if len(taken) < len(left):
        raise Failed(f"{len(left) - len(taken)} of {len(left)} did not take it\n{text}")
    return Answer(text)


async def _one(url: str, options: Options, rendered: Rendered, context: Context) -> tuple[bool, str]:
    """Whether the service took it, and what Apprise logged on the way, which is all that it tells."""
    guard = Guard.of(context.settings)
    ok, lines = await context.threads.run(rendered.message.channel, _notified, url, options.format, rendered, guard)
    logged = "; ".join(one_line(line) for line in lines[:MOST_LINES]) or ("delivered" if ok else "no reason given")
    return ok, f"{_schema(url)}: {logged}"


def _notified(url: str, form: str, rendered: Rendered, guard: Guard) -> tuple[bool, list[str]]:
    """In a thread of its own, which may hang, and which connects only to where it may."""
    log = _log()
    log.begin()
    with guarded(guard) as refusals:
        ok, lines = _notify(url, form, rendered, log)
        return ok, [*refusals, *lines]


def _notify(url: str, form: str, rendered: Rendered, log: _Log) -> tuple[bool, list[str]]:
    try:
        service = apprise.Apprise(asset=_asset())
        if not service.add(url):
            return False, log.lines()
        ok = service.notify(
            body=rendered.html if form == "html" else rendered.text,
            title=rendered.subject,
            notify_type=_TYPES[tone(rendered.message.item)],
            body_format=_FORMATS[form],
        )
        return bool(ok), log.lines()
    finally:
        log.end()


class _Log(logging.Handler):
    """What Apprise logs goes to whoever waits for it in that thread, and nowhere else: it may name a password."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self._lines: dict[int, list[str]] = {}

    def begin(self) -> None:
        self._lines[threading.get_ident()] = []

    def end(self) -> None:
        self._lines.pop(threading.get_ident(), None)

    def lines(self) -> list[str]:
        return self._lines.get(threading.get_ident(), [])

    def emit(self, record: logging.LogRecord) -> None:
        lines = self._lines.get(record.thread or 0)
        if lines is not None and len(lines) < MOST_LINES:
            lines.append(record.getMessage())


_LOG = _Log()


@cache
def _log() -> _Log:
    """At first use, for good: Apprise may log nowhere else, and read nothing."""
    logger = logging.getLogger("apprise")
    logger.handlers, logger.propagate = [_LOG], False
    logger.setLevel(logging.INFO)
    # It would read local files and other servers for templates and keys; `memory` alone must stay, or all come back.
    AttachmentManager().remove("file", "http", "https", unload=False)  # type: ignore[no-untyped-call]
    return _LOG


@cache
def _asset() -> apprise.AppriseAsset:
    return apprise.AppriseAsset(
        app_id="Pinguin",
        app_desc="Pinguin",
        app_url="",
        storage_mode=apprise.PersistentStoreMode.MEMORY,
        pgp_autogen=False,
        pem_autogen=False,
        secure_logging=True,
        http_redirects=False,
        async_mode=False,
        service_timeout=0,
    )


def secrets(options: Options) -> Iterable[str]:
    """Passwords and tokens stand in any part of such a URL; what looks like a host or a plain word does not."""
    for url in options.urls:
        rest = url.partition("://")[2]
        address, _, query = rest.partition("?")
        user, _, place = address.rpartition("@")
        yield from (unquote(part) for part in (*re.split(r"[:/@]", user), *re.findall(r"=([^&]*)", query)))
        for part in re.split(r"[/:#,]", place):
            if (re.search(r"\d", part) and not re.fullmatch(r"[\w-]+(\.[\w-]+)+|\d{1,5}", part)) or len(part) >= 16:
                yield part
                yield unquote(part)


def _wrong(url: str) -> str | None:
    """Never with a piece of the URL in it."""
    if len(url) > 2000:
        return "has more than 2,000 characters"
    found = _SCHEMA.match(url)
    if found is None:
        return "is not a URL: it must begin with the name of a service and ://"
    if _schema(url) in LOCAL:
        return f"is for a service on the worker's own machine ({_schema(url)}), which is off"
    log = _log()
    log.begin()
    try:
        plugin = apprise.Apprise.instantiate(url, asset=_asset())
    finally:
        log.end()
    if plugin is None:
        return "is not a URL that Apprise understands; its wiki shows how each service's looks"
    return None


def _schema(url: str) -> str:
    return url.partition("://")[0].lower()


def _mark(url: str) -> str:
    return hashlib.sha256(url.encode()).hexdigest()
