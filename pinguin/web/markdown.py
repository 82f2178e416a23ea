"""Markdown that people write, as HTML that can do no harm: no HTML of theirs, no scripts, nothing loaded."""

from __future__ import annotations

import re
from collections.abc import MutableMapping, Sequence
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markupsafe import Markup, escape

LONGEST = 10_000
"""Characters of a text. The most hostile one of this length takes a third of a second."""

_LINK = re.compile(r"(https?://|mailto:|/(?![/\\])|#)", re.IGNORECASE)


def render(text: str) -> Markup:
    """Headings begin one level below a section's own. Pictures become links to them."""
    return Markup(_MARKDOWN.render(text[:LONGEST]))  # noqa: S704 — markdown-it escapes all that is not its own


class _Renderer(RendererHTML):
    def image(self, tokens: Sequence[Token], idx: int, options: Any, env: MutableMapping[str, Any]) -> str:
        """A picture would tell another server who reads this, and when."""
        token = tokens[idx]
        words = self.renderInlineAsText(token.children or [], options, env) or "picture"
        return f'<a href="{escape(token.attrs["src"])}" rel="noopener noreferrer nofollow">{escape(words)}</a>'

    def link_open(self, tokens: Sequence[Token], idx: int, options: Any, env: MutableMapping[str, Any]) -> str:
        tokens[idx].attrSet("rel", "noopener noreferrer nofollow")
        return self.renderToken(tokens, idx, options, env)

    def heading_open(self, tokens: Sequence[Token], idx: int, options: Any, env: MutableMapping[str, Any]) -> str:
        tokens[idx].tag = _lower(tokens[idx].tag)
        return self.renderToken(tokens, idx, options, env)

    heading_close = heading_open


def _lower(tag: str) -> str:
    return f"h{min(6, int(tag[1]) + 2)}"


def _make() -> MarkdownIt:
    made = MarkdownIt("js-default", {"html": False, "linkify": False}, renderer_cls=_Renderer)
    made.validateLink = lambda url: _LINK.match(url.strip()) is not None  # type: ignore[method-assign]
    return made


_MARKDOWN = _make()
