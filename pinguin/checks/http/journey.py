"""One check's way to its answer: redirects, a digest's challenge, a token that has to be fetched anew."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from pinguin.checks.contract import Context
from pinguin.checks.counting import counted
from pinguin.checks.engine.answer import Answer
from pinguin.checks.engine.chain import Link
from pinguin.checks.engine.stopwatch import Stopwatch
from pinguin.checks.evidence import text
from pinguin.checks.http import requests
from pinguin.checks.http.digest import Digest, is_stale, schemes
from pinguin.checks.http.options import Options
from pinguin.checks.http.reading import accepts
from pinguin.checks.http.route import visit
from pinguin.checks.http.tokens import Tokens
from pinguin.errors import CheckFailed
from pinguin.scrub import Scrubber


class Journey:
    """Each hop is a connection of its own; their phases add up.

    chains: the certificates that were met, by host. redirects: how many were followed. target: where the last of
    them led, or would lead; None where there was none. refusal: what a 401 means, in words. scrubber: hides what the
    options and the way hold of secrets.
    """

    def __init__(self, options: Options, context: Context) -> None:
        self._options = options
        self._context = context
        self._jar: requests.Jar | None = None
        self._hops: list[dict[str, Any]] = []
        self._earlier: Mapping[str, float] = {}
        self._token = ""
        self._retried = False
        self._challenged: dict[str, int] = {}
        self.scrubber: Scrubber = options.scrubber
        self.chains: dict[str, tuple[Link, ...]] = {}
        self.redirects = 0
        self.refusal = ""
        self.target: str | None = None
        self.watch = Stopwatch(context)

    async def to_the_end(self) -> Answer:
        """The last answer, after as many redirects as are allowed. Raises CheckFailed."""
        request = await self._first()
        while True:
            answer = await self._hop(request)
            again = await self._once_more(request, answer) if answer.status == 401 else None
            if again is None and answer.status in requests.REDIRECTS:
                again = self._onward(request, answer)
            if again is None:
                if self._hops:
                    self._note_hop(request, answer)
                return answer
            request = again

    async def _first(self) -> httpx.Request:
        options, request = self._options, self._options.request
        if options.cache_busting:
            request = requests.past_caches(request)
        if options.token_source:
            request = await self._authorised(request)
            # The token's way is not the target's: its time is another server's.
            self.watch = Stopwatch(self._context)
        return request

    async def _authorised(self, request: httpx.Request) -> httpx.Request:
        options, context = self._options, self._context
        assert options.token_source
        tokens = context.resources.get(Tokens)
        self._token = await tokens.get(options.token_source, options.route, context, instead_of=self._token)
        self.scrubber = self.scrubber.and_also(self._token)
        return requests.with_header(request, "authorization", f"Bearer {self._token}")

    async def _hop(self, request: httpx.Request) -> Answer:
        options, evidence = self._options, self._context.evidence
        found = await visit(
            request, options.route, self._context, self.watch, limit=options.max_body_bytes, keep=options.keep
        )
        answer = found.answer
        if found.chain:
            self.chains[request.url.host] = found.chain
        evidence["status_code"] = answer.status
        evidence["http_version"] = answer.version
        evidence["body_bytes"] = answer.size
        kind = answer.header("content-type")
        if kind:
            evidence["content_type"] = text(kind, 100)
        return answer

    async def _once_more(self, request: httpx.Request, answer: Answer) -> httpx.Request | None:
        """The same request with what `answer`, a 401, asks for, once; None where it does not, or not of us."""
        options = self._options
        if requests.origin(request.url) != requests.origin(options.request.url):
            return None
        if options.auth == "digest":
            return self._challenge(request, answer)
        if options.token_source and not self._retried:
            self._retried = True
            self._note_hop(request, answer)
            return await self._authorised(request)
        self.refusal = "it refuses a fresh token" if options.token_source else ""
        return None

    def _challenge(self, request: httpx.Request, answer: Answer) -> httpx.Request | None:
        """Once a URL, and once more where the nonce alone was refused."""
        options, before = self._options, self._challenged.get(str(request.url), 0)
        if before and not (before == 1 and is_stale(answer)):
            self.refusal = "it refuses the user or the password"
            return None
        self._challenged[str(request.url)] = before + 1
        authorization = Digest(options.username, options.password).respond(request, answer)
        if authorization is None:
            self.refusal = f"it asks for {schemes(answer) or 'nothing'}, not for a digest"
            return None
        self._note_hop(request, answer)
        return requests.with_header(request, "authorization", authorization)

    def _onward(self, request: httpx.Request, answer: Answer) -> httpx.Request | None:
        """Where `answer`, one of `REDIRECTS`, leads to, or None where it is the answer."""
        options = self._options
        wanted = bool(options.max_redirects) and not accepts(options.accepted_statuses, answer.status)
        try:
            url = requests.redirected(request, answer)
        except CheckFailed:
            if wanted:
                raise
            return None
        if url is None:
            return None
        self.target = str(url)
        if not wanted:
            return None
        self._note_hop(request, answer)
        if self.redirects == options.max_redirects:
            raise self._endless(url)
        self.redirects += 1
        jar = self._jar = self._jar or requests.Jar(options.cookies, options.request.url)
        jar.keep(request.url, answer)
        return requests.next_request(request, answer, url, jar)

    def _note_hop(self, request: httpx.Request, answer: Answer) -> None:
        phases, evidence = dict(self._context.phases), self._context.evidence
        spent = {name: round(ms - self._earlier.get(name, 0.0), 3) for name, ms in phases.items()}
        self._earlier = phases
        hop = {"url": requests.shown(request.url), "status": answer.status}
        where = evidence.get("address") or evidence.get("proxy")
        # What came in one piece took no time to transfer, but was transferred.
        took = {name: ms for name, ms in spent.items() if ms or name == "transfer"}
        self._hops.append({**hop, "address": where, "phases": took})
        evidence["hops"] = self._hops

    def _endless(self, onward: httpx.URL) -> CheckFailed:
        most = counted(self._options.max_redirects, "redirect")
        message = f"more than {most}; the next one leads to {requests.shown(onward)}"
        return CheckFailed("redirect", message, latency_ms=self.watch.total_ms())
