"""What a message says: the subject, the plain text and the HTML of every kind and of digests."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import msgspec
import pytest

from pinguin.alerts.contract import KINDS, Item, Message, Rendered
from pinguin.alerts.render import check, preview, render
from pinguin.alerts.samples import NOON, SAMPLES, digest
from pinguin.alerts.words import duration, ends, exact, milliseconds, one_line, phases, span
from pinguin.errors import InvalidInput

WHY = "connection refused by 10.0.0.5:443 after 3 ms"


def item(kind: str = "down", **facts: Any) -> Item:
    return Item(kind=kind, **{"at": NOON, "monitor": "shop", "message": WHY, "reason": "refused", **facts})


def said(*items: Item, after_s: float = 61, **facts: Any) -> Rendered:
    sent = NOON + timedelta(seconds=after_s)
    return render(Message(key="k", channel="ops", items=items, sent_at=sent, **facts))


MINUTES_7 = NOON + timedelta(minutes=7)


@pytest.mark.parametrize(
    ("kind", "facts", "after_s", "subject"),
    [
        ("down", {}, 61, f"DOWN shop: {WHY}"),
        ("down", {}, 720, f"DOWN shop since 12:00 UTC: {WHY}"),
        ("down", {"ended_at": MINUTES_7}, 720, f"WAS DOWN shop 12:00–12:07 UTC (7 min): {WHY}"),
        ("down", {"message": None}, 61, "DOWN shop: the connection was refused"),
        ("down", {"message": None, "reason": None}, 61, "DOWN shop"),
        ("reminder", {"duration_s": 7500.0}, 7500, f"STILL DOWN shop for 2 h 5 min: {WHY}"),
        ("up", {"at": MINUTES_7, "duration_s": 420.0}, 421, "UP shop: was down 12:00–12:07 UTC (7 min)"),
        ("up", {"at": MINUTES_7, "duration_s": 420.0, "resolved_by": "ada"}, 421,
         "RESOLVED shop: was down 12:00–12:07 UTC (7 min), resolved by ada"),
        ("up", {"at": MINUTES_7}, 421, "UP shop: no longer down, since 12:07 UTC"),
        ("unknown", {"message": "no result for 2 min"}, 61, "UNKNOWN shop: no result for 2 min"),
        ("unknown", {"ended_at": MINUTES_7, "message": "m"}, 720, "WAS UNKNOWN shop 12:00–12:07 UTC (7 min): m"),
        ("known", {"at": MINUTES_7, "duration_s": 420.0}, 421, "KNOWN AGAIN shop: was unknown 12:00–12:07 UTC (7 min)"),
        ("flapping", {"message": "6 changes in 10 min"}, 61, "FLAPPING shop: 6 changes in 10 min"),
        ("stable", {"duration_s": 30.0}, 61, "STABLE shop: was flapping 11:59:35–12:00:05 UTC (30 s)"),
        ("degraded", {"message": "slower than 1 s"}, 61, "DEGRADED shop: slower than 1 s"),
        ("ok", {"at": MINUTES_7, "duration_s": 420.0}, 421, "OK shop: was degraded 12:00–12:07 UTC (7 min)"),
        ("slow", {"message": "p95 is 812 ms"}, 61, "SLOW shop: p95 is 812 ms"),
        ("fast", {"at": MINUTES_7, "duration_s": 420.0}, 421, "FAST AGAIN shop: was slow 12:00–12:07 UTC (7 min)"),
        ("certificate", {"days_left": 7, "expires_at": NOON + timedelta(days=7)}, 1,
         "CERTIFICATE shop: ends in 7 days, on 2026-01-15"),
        ("certificate", {"days_left": -2, "expires_at": NOON - timedelta(days=2)}, 1,
         "CERTIFICATE shop: ended 2 days ago, on 2026-01-06"),
        ("domain", {"days_left": 1}, 1, "DOMAIN shop: ends in 1 day"),
        ("pipeline", {"monitor": "region eu", "message": "no worker"}, 61, "PINGUIN region eu: no worker"),
        ("pipeline_over", {"monitor": "region eu", "duration_s": 30.0}, 1,
         "PINGUIN OK region eu: was in trouble 11:59:35–12:00:05 UTC (30 s)"),
        ("test", {"message": None, "reason": None}, 1, "TEST shop: this channel works"),
        ("new_kind", {"message": "m"}, 1, "NEW KIND shop: m"),
    ],
)  # fmt: skip
def test_the_first_words_of_the_subject_carry_the_matter(
    kind: str, facts: dict[str, Any], after_s: float, subject: str
) -> None:
    assert said(item(kind, **facts), after_s=after_s).subject == subject


def test_every_kind_has_words_of_its_own() -> None:
    subjects = {said(item(kind, days_left=3)).subject.partition(" shop")[0] for kind in KINDS}
    assert len(subjects) == len(KINDS)


def test_an_outage_that_was_over_before_the_message_went_out_says_when_it_was() -> None:
    """TRAP 7"""
    late = said(item(ended_at=MINUTES_7, acknowledge_url="https://p/ack"), after_s=720)
    assert "WAS DOWN shop 12:00–12:07 UTC (7 min)" in late.subject
    assert "5 min after it ended" in late.text
    assert "ack" not in late.text  # there is nothing to acknowledge any more


def test_a_down_message_says_what_since_when_and_why() -> None:
    text = render(SAMPLES["down"]()).text
    for words in (
        "Since:          2026-01-08 12:00:05 UTC (1 min 1 s ago)",
        "1 min after the first failed check",
        "status (the status code is not an accepted one)",
        "Status code:    503",
        "http https://shop.example.org/",
        "192.0.2.10:443",
        "name look-up 1.2 ms, connect 12 ms, TLS 31 ms, first byte 39 ms, transfer 0.8 ms",
        "shop.example.org, issued by Example CA, valid until 2026-03-01 00:00:00 UTC",
        'local down (answered 503 "Service Unavailable"); eu-west up',
        "Last outage:    3 min 10 s, on 2025-12-30 12:00:05 UTC",
        "Open in Pinguin: https://pinguin.example.org/incidents/41",
        "Acknowledge: https://pinguin.example.org/incidents/41/acknowledge",
        "Pinguin, channel ops",
    ):
        assert words in text


def test_a_recovery_carries_the_duration() -> None:
    rendered = render(SAMPLES["up"]())
    assert "was down 12:00–12:07 UTC (7 min)" in rendered.subject
    assert re.search(r"Lasted: +7 min\n", rendered.text)
    assert "Acknowledge" not in rendered.text


def test_without_facts_there_is_nothing_but_the_matter() -> None:
    assert said(Item(kind="down", at=NOON, monitor="shop")).text.count("\n") == 6
    assert "None" not in said(Item(kind="down", at=NOON, monitor="shop")).html


def test_a_line_break_in_a_name_gives_no_second_line_to_a_subject() -> None:
    rendered = said(item(monitor="shop\r\nBcc: all@example.org", message="a\nb\x00\x1b[31m"))
    assert rendered.subject == "DOWN shop Bcc: all@example.org: a b [31m"


def test_a_long_subject_is_cut() -> None:
    assert len(said(item(message="x" * 5000)).subject) == 200


# Digests


def test_a_digest_is_counted_grouped_by_cause_and_bounded() -> None:
    rendered = render(digest(1000))
    assert rendered.subject == "1000 DOWN, 3 UP: 995 of them share the host db1.example.org"
    assert "DOWN (995): 995 of them share the host db1.example.org\n- db1 service" in rendered.text
    assert rendered.text.count("\n- ") == 100
    assert "\nand 903 more\n" in rendered.text
    assert "https://pinguin.example.org/incidents" in rendered.text
    assert "and 903 more" in rendered.html


def test_the_gravest_come_first_and_those_without_a_common_cause_last() -> None:
    items = [
        item("up", monitor="mail", at=MINUTES_7, duration_s=60.0),
        item("degraded", monitor="slow one"),
        item("down", monitor="alone"),
        item("down", monitor="b", cause="2 of them share the tag live"),
        item("down", monitor="a", cause="2 of them share the tag live"),
        item("down", monitor="old", ended_at=MINUTES_7),
    ]
    text = said(*items, after_s=720).text.partition("\n")[2]
    lines = [line for line in text.split("\n") if re.match(r"- |[A-Z]{2}", line)]
    assert [re.split(r":| \(", line)[0] for line in lines] == [
        "DOWN", "- a", "- b", "DOWN", "- alone", "WAS DOWN", "- old", "DEGRADED", "- slow one", "UP", "- mail",
    ]  # fmt: skip


def test_the_subject_of_few_names_them() -> None:
    assert said(item(monitor="a"), item(monitor="b")).subject == "2 DOWN: a, b"
    five = [item(monitor=name) for name in "edcba"]
    assert said(*five).subject == "5 DOWN: a, b, c and 2 more"


def test_without_a_base_url_there_is_no_link() -> None:
    assert "http" not in said(item(monitor="a"), item(monitor="b")).text


# HTML


class Tags(HTMLParser):
    def __init__(self, document: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.attributes: set[str] = set()
        self.words = ""
        self.feed(document)
        assert not self.open, f"not closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in ("script", "img", "link", "iframe", "form", "svg", "style")
        self.attributes |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name == "href"]
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


@pytest.mark.parametrize("name", SAMPLES)
def test_the_html_is_whole_small_and_says_what_the_text_says(name: str) -> None:
    rendered = render(SAMPLES[name]())
    tags = Tags(rendered.html)
    assert len(rendered.html.encode()) < 100_000  # Gmail cuts what is longer
    assert not {attribute for attribute in tags.attributes if attribute.startswith("on")}
    words = " ".join(tags.words.split())
    for line in rendered.text.splitlines():
        for part in re.split(r":\s+|^- ", line.strip()):
            if part and not part.startswith(("--", "https://")):
                assert " ".join(part.split()) in words


def test_the_largest_digest_of_long_words_stays_below_what_mail_clients_cut() -> None:
    items = [item(monitor="long “name”" * 20 + str(number), message="long “words” " * 50) for number in range(1000)]
    assert len(said(*items).html.encode()) < 100_000


def test_what_comes_from_outside_cannot_become_html() -> None:
    evil = "<script>alert(1)</script><img src=x onerror=alert(1)>"
    rendered = said(
        item(monitor=evil, message=evil, target=evil, tags=[evil], url="https://p/1", note=evil, cause=evil)
    )
    Tags(rendered.html)
    assert "<script" not in rendered.html
    assert "<script" not in render(rendered.message, "", "{{ item.message }}").html


# Templates of a channel


def test_templates_make_subject_text_and_html() -> None:
    rendered = render(
        SAMPLES["down"](), "[prod] {{ item.monitor }}\n!", "See https://example.org/x.\n<b>{{ item.reason }}</b>"
    )
    assert rendered.subject == '[prod] shop "front" <door> !'
    assert rendered.text == "See https://example.org/x.\n<b>status</b>"
    assert '<a href="https://example.org/x">https://example.org/x</a>.<br>\n&lt;b&gt;status&lt;/b&gt;' in rendered.html
    assert "[prod]" in rendered.html


def test_a_subject_alone_leaves_the_text_as_it_is() -> None:
    rendered = render(SAMPLES["down"](), "[prod] {{ subject }}")
    assert rendered.subject.startswith("[prod] DOWN shop")
    assert rendered.text == render(SAMPLES["down"]()).text


def test_a_template_that_fails_with_these_facts_loses_nothing() -> None:
    rendered = render(SAMPLES["up"](), "{{ subject }}", "{{ 1 / (item.duration_s - 420) }}")
    own = render(SAMPLES["up"]())
    assert rendered.subject == own.subject
    assert rendered.text.startswith(own.text)
    assert "the template of this channel failed. line 1: float division by zero" in rendered.text
    assert "division by zero" in rendered.html


def test_an_empty_subject_is_replaced() -> None:
    assert render(SAMPLES["up"](), "{% if item.note %}x{% endif %}").subject == render(SAMPLES["up"]()).subject


def test_the_check_names_field_line_and_sample() -> None:
    check("{{ subject }}", "subject_template")
    with pytest.raises(InvalidInput) as refusal:
        check("ok\n{{ 1 / item.last_outage_s }}", "body_template")
    assert refusal.value.fields["body_template"].startswith("line 2: / is for numbers")
    assert "with the sample 'degraded'" in refusal.value.fields["body_template"]
    with pytest.raises(InvalidInput, match=r"is not JSON with the sample 'down': .*tojson"):
        check('{"text": "{{ item.message }}"}', "body", json=True)
    check('{"text": {{ item.message|tojson }}}', "body", json=True)


def test_a_preview_is_what_would_be_sent() -> None:
    assert preview("{{ item.kind }} {{ count }}", "digest") == "down 53"
    assert preview("{{ item.days_left }}", "certificate") == "7"


# Words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (-3, "0 s"),
        (59.6, "1 min"),
        (61, "1 min 1 s"),
        (7500, "2 h 5 min"),
        (3600, "1 h"),
        (90061, "1 d 1 h"),
    ],
)
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_times_have_a_zone_and_a_date_where_it_is_not_today() -> None:
    berlin = datetime.fromisoformat("2026-01-08T13:00:05+01:00")
    assert exact(berlin) == "2026-01-08 12:00:05 UTC"
    assert span(berlin, MINUTES_7, NOON) == "12:00–12:07 UTC (7 min)"
    assert span(berlin, MINUTES_7, NOON + timedelta(days=1)) == "2026-01-08 12:00–12:07 UTC (7 min)"
    over_night = span(NOON, NOON + timedelta(hours=13), NOON)
    assert over_night == "2026-01-08 12:00 – 2026-01-09 01:00 UTC (13 h)"


def test_small_words() -> None:
    assert milliseconds(1240) == "1.24 s"
    assert phases({"transfer": 2.0, "dns": 1.0}) == "name look-up 1.0 ms, transfer 2.0 ms"
    assert one_line("a\u2028b\tc\x00") == "a b c"
    assert ends(item("certificate", days_left=0, message=None), NOON) == "ends within a day"
    assert ends(item("certificate", expires_at=NOON + timedelta(days=3)), NOON) == "ends in 3 days, on 2026-01-11"


def test_a_message_survives_json_and_back() -> None:
    message = SAMPLES["down"]()
    assert msgspec.json.decode(msgspec.json.encode(message), type=Message) == msgspec.convert(
        msgspec.to_builtins(message), Message
    )
    assert message.item.at.tzinfo is UTC
