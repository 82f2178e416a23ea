"""An HTTP request for each message: to a program of yours, or to a service that takes JSON.

Without a template the body is the whole message as JSON, in the shape that is documented below. A body of your own is a
template; `{{ item.monitor|tojson }}` puts a text into JSON, quotes and all. `Idempotency-Key` is the same for every try
to deliver one message, so that a receiver can tell a repetition.

An answer from 200 to 299 is delivered. 408, 409, 423, 425, 429, 500 and above, a refused connection, a name that does
not resolve and no answer in time are tried again, after `Retry-After` where the answer has it. Any other answer ends
the tries. 400, 413 and 422 are about the message: it alone is given up, and only a third in a row marks the channel
broken; all others do so at once. Redirects with 307 and 308 are followed on the same host alone.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ssl
import time
from collections.abc import Mapping
from functools import cache
from typing import Any

import httpx
import msgspec
import structlog

from pinguin.alerts import payload
from pinguin.alerts.channels.webhook.options import EXAMPLES, PORTS, Options, secrets
from pinguin.alerts.contract import MOST_ANSWER, Answer, Context, Failed, Refused, Rendered
from pinguin.alerts.http_answer import failure, told
from pinguin.alerts.reach import Address, addresses, cause, reason, shown, tls_context
from pinguin.alerts.render import fill
from pinguin.alerts.sandbox import TemplateFailed
from pinguin.scrub import CUT

log = structlog.get_logger(__name__)

__all__ = ["EXAMPLES", "TITLE", "Options", "secrets", "send"]

TITLE = "Webhook"

AGENT = "Pinguin/0.1"
MOST_REDIRECTS = 3
MOST_READ = 4 * MOST_ANSWER
READ_S = 3.0
"""Seconds for the words of an answer whose status is there."""
TIMESTAMP, SIGNATURE = "X-Pinguin-Timestamp", "X-Pinguin-Signature"


async def send(options: Options, rendered: Rendered, context: Context) -> Answer:
    """Raises `Refused`, `Failed`."""
    try:
        async with asyncio.timeout(min(options.timeout_s, context.timeout)):
            return await _send(options, rendered, context)
    except TimeoutError:
        stage = f" ({context.stage})" if context.stage else ""
        words = f"no answer within {min(options.timeout_s, context.timeout):g} s{stage}"
        raise Failed(words, unsure=context.sent) from None


async def _send(options: Options, rendered: Rendered, context: Context) -> Answer:
    content = b"" if options.method == "GET" else _body(options, rendered)
    url = _url(options, rendered)
    headers = _headers(options, rendered, content)
    for _ in range(MOST_REDIRECTS + 1):
        status, text, more = await _exchange(options, url, headers, content, rendered, context)
        if not 300 <= status < 400:
            wrong = failure(status, text, more.get("retry-after"))
            if wrong is not None:
                raise wrong
            return Answer(f"{told(status)}: {text}" if text else told(status), status)
        url = _elsewhere(url, status, more.get("location", ""))
    raise Refused(f"more than {MOST_REDIRECTS} redirects")


def _elsewhere(url: httpx.URL, status: int, location: str) -> httpx.URL:
    """Where a redirect leads. Raises Refused for another host: our headers are not for it."""
    try:
        there = url.join(location)
    except httpx.InvalidURL:
        there = url.copy_with(host="")
    if status not in (307, 308) or _origin(there) != _origin(url):
        place = f"{there.scheme}://{there.host}" if there.host else "nowhere"
        raise Refused(Answer(f"{told(status)}: it leads to {place}; set the URL to the place that answers", status))
    return there


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port or PORTS.get(url.scheme)


async def _exchange(
    options: Options,
    url: httpx.URL,
    headers: Mapping[str, str],
    content: bytes,
    rendered: Rendered,
    context: Context,
) -> tuple[int, str, httpx.Headers]:
    """Status, the beginning of the answer, its headers. To the first address that takes the connection."""
    context.sent = False
    port = url.port or PORTS[url.scheme]
    why = ""
    for address in await addresses(url.host, port, rendered, context):
        context.stage = f"connecting to {shown(address[1])}"
        request = _request(options.method, url, address, headers, content, context)
        try:
            return await _answer(request, options, context)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            why = f"{shown(address[1])}: {reason(cause(error))}"
        except (httpx.TransportError, OSError) as error:
            words = f"{shown(address[1])}: {_in_words(error)}"
            raise Failed(words, unsure=context.sent) from None
    raise Failed(f"cannot connect to {url.host}: {why}")


def _request(
    method: str, url: httpx.URL, address: Address, headers: Mapping[str, str], content: bytes, context: Context
) -> httpx.Request:
    """To one address, so that it is the one which was looked up, and TLS still asks for the name."""

    async def trace(event: str, _: Mapping[str, Any]) -> None:
        if event.endswith("send_request_headers.started"):
            context.sent, context.stage = True, "waiting for the answer"

    raw = [(name.encode("ascii"), value.encode("utf-8")) for name, value in headers.items()]
    raw.append((b"Host", url.netloc))
    ip = str(address[1][0])
    extensions = {"sni_hostname": url.host, "trace": trace, "timeout": httpx.Timeout(None).as_dict()}
    return httpx.Request(method, url.copy_with(host=ip), headers=raw, content=content or None, extensions=extensions)


async def _answer(request: httpx.Request, options: Options, context: Context) -> tuple[int, str, httpx.Headers]:
    verify = _tls(options.verify_tls) if request.url.scheme == "https" else False
    async with httpx.AsyncClient(verify=verify, trust_env=False) as client:
        response = await client.send(request, stream=True)
        try:
            return response.status_code, await _beginning(response), response.headers
        finally:
            await response.aclose()


async def _beginning(response: httpx.Response) -> str:
    """Of an answer whose status says everything already: so much of its words as come soon."""
    read = bytearray()
    try:
        async with asyncio.timeout(READ_S):
            async for chunk in response.aiter_raw():
                read += chunk
                if len(read) > MOST_READ:
                    break
    except (TimeoutError, httpx.TransportError):
        pass
    words = " ".join(bytes(read[:MOST_READ]).decode("utf-8", "replace").split())
    return words + CUT if len(read) > MOST_READ else words


@cache
def _tls(verify: bool) -> ssl.SSLContext:
    return tls_context(verify)


def _in_words(error: BaseException) -> str:
    if isinstance(error, httpx.RemoteProtocolError):
        return "the answer is not HTTP, or the connection was closed without one"
    if isinstance(error, httpx.ReadError | httpx.WriteError):
        return "the connection was cut"
    return reason(error)


# What is sent


def _body(options: Options, rendered: Rendered) -> bytes:
    ours = payload.encoded(rendered) if options.content == "json" else rendered.text.encode()
    if not options.body:
        return ours
    try:
        made = fill(options.body, rendered).encode()
        if options.content == "json":
            msgspec.json.decode(made)
    except (TemplateFailed, msgspec.DecodeError) as error:
        log.warning("template failed", channel=rendered.message.channel, error=str(error))
        return ours
    return made


def _url(options: Options, rendered: Rendered) -> httpx.URL:
    url = httpx.URL(options.url)
    for name, source in options.parameters.items():
        try:
            value = fill(source, rendered)
        except TemplateFailed:
            value = rendered.subject
        url = url.copy_add_param(name, value)
    return url


def _headers(options: Options, rendered: Rendered, content: bytes) -> dict[str, str]:
    kind = "application/json" if options.content == "json" else "text/plain; charset=utf-8"
    headers = {
        "User-Agent": AGENT,
        "Accept": "*/*",
        "Accept-Encoding": "identity",
        "Connection": "close",
        "Idempotency-Key": rendered.message.key,
        **({"Content-Type": kind} if content else {}),
    }
    if options.signing_secret:
        timestamp = str(int(time.time()))
        headers[TIMESTAMP] = timestamp
        headers[SIGNATURE] = signature(options.signing_secret, timestamp, content)
    given = {name.lower() for name in options.headers}
    return {name: value for name, value in headers.items() if name.lower() not in given} | options.headers


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """`sha256=` and the HMAC-SHA256 of the timestamp, a dot, and the body, in hexadecimal."""
    signed = timestamp.encode("ascii") + b"." + body
    return "sha256=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
