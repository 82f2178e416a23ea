"""What an HTTP status means for a message: delivered, to be tried again, or never."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from pinguin.alerts.contract import Answer, Failed, NotDelivered, Refused

LATER = {408, 409, 423, 425, 429}
"""Below 500, these may be otherwise at the next try."""
OF_THE_MESSAGE = {400, 413, 422}
"""What was sent is not understood, or too large: another message may be taken."""
LONGEST_WAIT_S = 86400.0


def failure(status: int, text: str, retry_after: str | None) -> NotDelivered | None:
    """None where the message is delivered. text: of the answer, bounded."""
    if 200 <= status < 300:
        return None
    answer = Answer(f"{told(status)}: {text}" if text else told(status), status)
    if status in LATER or status >= 500:
        return Failed(answer, retry_after_s=seconds(retry_after, datetime.now(UTC)))
    return Refused(answer, alone=status in OF_THE_MESSAGE)


def told(status: int) -> str:
    """503 Service Unavailable"""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def seconds(retry_after: str | None, now: datetime) -> float | None:
    """Of a Retry-After header, in seconds or as a date; None where it is neither."""
    words = (retry_after or "").strip()
    if words.isascii() and words.isdigit():
        return min(float(words[:12]), LONGEST_WAIT_S)
    try:
        moment = parsedate_to_datetime(words)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, min((moment - now).total_seconds(), LONGEST_WAIT_S))
