"""Users' templates: what they can do, and that none of them can do more, last long or grow. TRAP 19"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pinguin.alerts.contract import Message
from pinguin.alerts.render import NAMES, render, variables
from pinguin.alerts.samples import SAMPLES, digest
from pinguin.alerts.sandbox import MOST_OUTPUT, MOST_SOURCE, TemplateFailed, parsed
from pinguin.errors import InvalidInput

MANY = digest(1000)


def made(source: str, message: Message | None = None) -> str:
    words = render(message or SAMPLES["down"]())
    return parsed(source, NAMES).render(variables(words.message, words.subject, words.text))


def refused(source: str, message: Message | None = None) -> str:
    """The words with which it is refused, when it is saved or when it runs. Nothing else may come out of it."""
    with pytest.raises((InvalidInput, TemplateFailed)) as refusal:
        made(source, message)
    return str(refusal.value)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{{ item.kind|upper }} {{ item.status_code }}", "DOWN 503"),
        ("{{ item.at }}, {{ item.at|clock }}, {{ item.at|day }}", "2026-01-08 12:00:05 UTC, 12:00 UTC, 2026-01-08"),
        ("{{ item.at|iso }} {{ item.at|unix }}", "2026-01-08T12:00:05+00:00 1767873605"),
        ("{{ 7500|duration }} {{ item.last_outage_s|duration }}", "2 h 5 min 3 min 10 s"),
        ("[{{ item.note }}]", "[]"),
        ("{{ item.evidence.http.status }} {{ item['evidence']['http']['status'] }}", "503 503"),
        ("[{{ item.evidence.nothing.of.this }}] {{ item.evidence.nothing|default('x') }}", "[] x"),
        ("{% for vote in item.votes %}{{ loop.index }}{{ vote.region }} {% endfor %}", "1local 2eu-west "),
        ("{% for a in item.evidence.none %}x{% else %}nobody{% endfor %}", "nobody"),
        ("{{ item.tags }} {{ item.tags|join('/') }} {{ item.tags|first }}", '["shop","live"] shop/live shop'),
        ("{{ 'x' ~ 1 ~ item.tags|length ~ none }}", "x12"),
        ("{{ {'a': [item.monitor]}|tojson }}", '{"a":["shop \\"front\\" <door>"]}'),
        ("{% set a, b = 1, 2 %}{{ a + b }} {{ (item.latency_ms / 1000)|round(2) }}", "3 0.08"),
        ("{{ 'yes' if item.kind in ('down', 'up') and not item.note else 'no' }}", "yes"),
        ("{% with x = item.monitor %}{{ x|length }}{% endwith %}{# said #}", "19"),
        (
            "{{ items|map(attribute='monitor')|join|length }}{{ items|selectattr('kind', 'eq', 'up')|list|length }}",
            "190",
        ),
        ("{{ subject|truncate(23) }}", 'DOWN shop "front"...'),
        ("{% raw %}{{ x }}{% endraw %}", "{{ x }}"),
        ("{{ count }} {{ more }}", "1 0"),
        ("{{ item.message|replace('\n', ' ') }}", 'answered 503 "Service Unavailable"; accepted: 200-299'),
    ],
)
def test_what_a_template_can_say(source: str, text: str) -> None:
    assert made(source) == text


def test_of_a_digest_it_sees_the_gravest_and_how_many_there_are() -> None:
    assert made("{{ items|length }} {{ count }} {{ more }} {{ item.kind }}", MANY) == "100 1003 903 down"
    lines = made("{% for i in items %}{{ i.monitor }}: {{ i.message }}\n{% endfor %}", MANY)
    assert lines.count("db1 service") == 100


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("\n\n{{ monitr }}", "line 3: there is no 'monitr'; there are count, item, items"),
        ("\n{{ item.monitr }}", "line 2: there is no 'monitr' here; there are kind, at, monitor"),
        ("{% for x in items %}\n{{ x", "line 2: unexpected end of template"),
        ("{% if %}", "line 1: Expected an expression"),
        ("\n{{ item|nothing }}", "line 2: there is no filter 'nothing'; there are abs"),
        ("{{ item is odder }}", "line 1: there is no test 'odder'"),
        ("{{ 1 / 0 }}", "line 1: division by zero"),
        ("{{ item.monitor.upper() }}", "line 1: a call is not allowed here"),
        ("{{ item.monitor + 1 }}", "line 1: + is for numbers; ~ joins texts"),
        ("x" * (MOST_SOURCE + 1), "at most 16,384 characters; it has 16,385"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(source: str, words: str) -> None:
    assert words in refused(source)


@pytest.mark.parametrize(
    "source",
    [
        "{{ item.__class__ }}", "{{ ''.__class__.__mro__ }}", "{{ item['__class__'] }}", "{{ item.__struct_fields__ }}",
        "{{ items|map(attribute='__class__')|list }}", "{{ items|sort(attribute='__class__')|list }}",
        "{{ items|groupby('__class__')|list }}", "{{ items|selectattr('__class__')|list }}",
        "{{ item.at.__class__ }}", "{{ item.at.strftime }}", "{{ items.append }}", "{{ item.tags.append(1) }}",
        "{{ item.evidence.items() }}", "{{ loop.__class__ }}", "{% for x in items %}{{ loop.cycle }}{% endfor %}",
        "{{ _budget }}", "{{ self }}", "{{ self._TemplateReference__context }}", "{{ lipsum.__globals__ }}",
        "{{ range(9) }}", "{{ dict() }}", "{{ cycler }}", "{{ namespace() }}", "{{ joiner }}", "{{ caller() }}",
        "{% set _budget = 1 %}", "{% for _budget in items %}{% endfor %}", "{{ item|attr('__class__') }}",
        "{{ items|_weighed }}", "{{ 'a'|format }}", "{{ 'a'|center(9) }}", "{{ 'x'|xmlattr }}", "{{ items|sum }}",
        "{{ items|map('attr', 'x')|list }}", "{{ items|select('callable')|list }}", "{{ x is filter('e') }}",
        "{% macro a() %}{% endmacro %}", "{% call a() %}{% endcall %}", "{% include 'a' %}", "{% import 'a' as b %}",
        "{% extends 'a' %}", "{% block a %}{% endblock %}", "{% filter upper %}{% endfilter %}",
        "{% set x %}{% endset %}", "{% for a in items recursive %}{{ loop(a) }}{% endfor %}", "{% do 1 %}",
        "{% set item.kind = 1 %}", "{{ items|map(*items) }}", "{{ items|map(**item) }}", "{{ 2 ** 9 }}",
    ],
)  # fmt: skip
def test_there_is_no_way_out(source: str) -> None:
    refused(source)


BOMBS = {
    "texts that double with ~": "{% set a = 'aaaaaaaaaa' %}" + "{% set a = a ~ a %}" * 60 + "{{ a|length }}",
    "texts that double with +": "{% set a = 'aaaaaaaaaa' %}" + "{% set a = a + a %}" * 60 + "{{ a|length }}",
    "texts that replace themselves": "{% set a = 'aaaaaaaaaa' %}" + "{% set a = a|replace('a', a) %}" * 40,
    "texts that join themselves": "{% set a = 'aaaaaaaaaa' %}" + "{% set a = [a, a, a, a]|join(a) %}" * 40,
    "lists of lists": "{% set a = ['aaaaaaaaaa'] %}" + "{% set a = [a, a, a, a] %}" * 40,
    "dicts of dicts": "{% set a = 'a' %}" + "{% set a = {'x': a, 'y': a, 'z': a} %}" * 40,
    "tuples of tuples": "{% set a = 'a' %}" + "{% set a = (a, a, a, a) %}" * 40,
    "lists that are compared": "{% set a = [1] %}{% set b = [1] %}" + "{% set a = [a, a] %}{% set b = [b, b] %}" * 60
    + "{{ a == b }}",
    "numbers that grow": "{% set a = 1000 %}" + "{% set a = a * a %}" * 60 + "{{ a }}",
    "a text times a number": "{{ 'a' * 999999999 }}",
    "a list times a number": "{{ [1] * 999999999 }}",
    "a long number": "{{ " + "9" * 5000 + " }}",
    "a wide format": "{{ '%999999999d' % 1 }}",
    "loops in loops": "{% for a in items %}" * 6 + "x" + "{% endfor %}" * 6,
    "loops in loops without output": "{% for a in items %}" * 6 + "{% if a %}{% endif %}" + "{% endfor %}" * 6,
    "loops as deep as can be": "{% for a in items %}" * 400 + "{% endfor %}" * 400,
    "filters in loops": "{% for a in items %}{% for b in items %}{{ items|sort(attribute='monitor')|first }}"
    "{% endfor %}{% endfor %}",
    "JSON in loops": "{% for a in items %}{{ items|tojson }}{% endfor %}",
    "JSON of JSON of JSON": "{{ items" + "|map('tojson')" * 40 + "|join }}",
    "brackets": "{{ " + "(" * 8000 + "1" + ")" * 8000 + " }}",
    "nots": "{{ " + "not " * 4000 + "1 }}",
    "minuses": "{{ " + "-" * 8000 + "1 }}",
    "ifs in ifs": "{% if 1 %}" * 500 + "x" + "{% endif %}" * 500,
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_with_the_same_words_wherever_it_runs(name: str) -> None:
    assert len(BOMBS[name]) <= MOST_SOURCE
    first = refused(BOMBS[name], MANY)
    assert refused(BOMBS[name], MANY) == first


def test_its_output_is_bounded() -> None:
    body = "x" * 700
    assert "65,536 characters" in refused("{% for i in items %}" + body + "{% endfor %}", MANY)
    assert len(made("{% for i in items[:90] %}" + body + "{% endfor %}", MANY)) <= MOST_OUTPUT


PIECES = [
    "{{ ", " }}", "{% ", " %}", "for ", "x ", "in ", "items", "item", ".", "at", "endfor", "if ", "endif", "set ", "= ",
    "[", "]", "(", ")", "{", "}", "~ ", "+ ", "* ", "== ", "|", "join", "map", "tojson", "first", "'", '"', "kind",
    "loop", "index", "__class__", "0", "9", ",", ":", "not ", "is ", "none", "\n", "#", "text ", "é", "\x00",
]  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from(PIECES),
        max_size=30,
    )
)  # fmt: skip
def test_whatever_is_written_gives_a_text_or_is_refused(parts: list[str]) -> None:
    try:
        text = made("".join(parts))
    except (InvalidInput, TemplateFailed):
        return
    assert len(text) <= MOST_OUTPUT
