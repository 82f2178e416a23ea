"""What conditions may look at in a web page's answer."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

from pinguin.checks.conditions import MISSING, Condition, Subject, at, read_json
from pinguin.checks.contract import Context
from pinguin.checks.engine.answer import Answer
from pinguin.checks.engine.certificate import now
from pinguin.checks.engine.chain import Link


def in_words(status: int) -> str:
    """`404 Not Found`."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


STATUS = Subject("status", "number", "The status code.", reason="status", says="answered {seen}", show=in_words)
BODY = Subject("body", "text", "The body as text.", reason="body", wide=True)

SUBJECTS: Mapping[str, Subject] = MappingProxyType(
    {
        subject.name: subject
        for subject in (
            STATUS,
            Subject("header", "text", "A header of the answer, by name.", argument="word"),
            BODY,
            Subject("json", "json", "The body as JSON, by JSONPath.", argument="path", reason="body", wide=True),
            Subject("time", "ms", "The whole check, redirects included.", reason="slow"),
            Subject("time dns", "ms", "The look-up of the name.", reason="slow"),
            Subject("time connect", "ms", "The connection.", reason="slow"),
            Subject("time tls", "ms", "The TLS handshake.", reason="slow"),
            Subject("time first byte", "ms", "From the request to the first byte of the answer.", reason="slow"),
            Subject("time transfer", "ms", "From there to the end of the answer.", reason="slow"),
            Subject(
                "certificate",
                "days",
                "Until the certificate, or one above it, ends.",
                reason="certificate_expiry",
                says="the certificate ends in {seen}",
            ),
            Subject("redirect target", "text", "The URL that the last redirect led to.", reason="redirect"),
            Subject("redirects", "number", "How many were followed.", reason="redirect"),
            Subject("size", "bytes", "Of the body, unpacked.", reason="body"),
            Subject("http version", "text", "HTTP/1.0, HTTP/1.1 or HTTP/2."),
            Subject("tls version", "text", "TLSv1.2 or TLSv1.3.", reason="tls"),
            Subject("address", "text", "The address that answered, with its port."),
        )
    }
)


class Seen:
    """One check's answer, as conditions look at it. What takes time to make is made for those that ask."""

    def __init__(
        self,
        answer: Answer,
        latency_ms: float,
        context: Context,
        chains: Mapping[str, tuple[Link, ...]],
        target: str | None,
        redirects: int,
    ) -> None:
        self._answer = answer
        self._latency_ms = latency_ms
        self._context = context
        self._chains = chains
        self._target = target
        self._redirects = redirects

    def __call__(self, condition: Condition) -> Any:
        name = condition.subject.name
        match name:
            case "status":
                return self._answer.status
            case "body":
                return self._text
            case "json":
                return at(self._document, condition.argument)
            case "header":
                value: Any = self._answer.header(condition.argument)
            case "certificate":
                value = self._days
            case _ if name.startswith("time "):
                value = self._context.phases.get(name.removeprefix("time ").replace(" ", "_"))
            case _:
                value = self._plain[name]
        return MISSING if value is None else value

    @cached_property
    def _plain(self) -> dict[str, Any]:
        evidence = self._context.evidence
        return {
            "time": self._latency_ms,
            "redirect target": self._target,
            "redirects": self._redirects,
            "size": self._answer.size,
            "http version": self._answer.version,
            "tls version": evidence.get("tls", {}).get("version"),
            "address": evidence.get("address"),
        }

    @cached_property
    def _text(self) -> str:
        return self._answer.text

    @cached_property
    def _document(self) -> Any:
        return read_json(self._answer.body)

    @property
    def _days(self) -> int | None:
        return min((link.days_left(now()) for chain in self._chains.values() for link in chain), default=None)
