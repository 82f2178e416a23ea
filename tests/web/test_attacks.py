"""What an attacker would try, beside hostile input: planted sessions, forged hosts, leaked tokens, saved secrets."""

from __future__ import annotations

import csv
import io
from typing import Any

import msgspec
import pytest
from litestar import Litestar

from pinguin.checks import check_type
from pinguin.db import Pool, connection
from pinguin.people import Role
from pinguin.secrets import PREFIX, Keys, monitor_place
from pinguin.settings import Settings
from pinguin.store import sessions
from pinguin.web import headers
from pinguin.web.csv_text import cell
from pinguin.web.passwords import Passwords
from pinguin.web.service import Web
from pinguin.web.sessions import cookie, cookie_name, token_hash
from tests.api.conftest import new_token
from tests.factory import add_incident, add_monitor, fetch
from tests.web.conftest import ADDRESS, PASSWORD, SECRET_KEY, Client, account, browser, person, signed_in

EVIL = "http://evil.test"
SHOP = {
    "url": "http://127.0.0.1:9/",
    "username": "ada",
    "password": "canary-password",
    "headers": {"X-Key": "canary-key"},
}
IT_IS_ME = {"current": PASSWORD}


def sealed() -> dict[str, object]:
    return Keys(SECRET_KEY).seal_fields(SHOP, check_type("http").options, monitor_place("http"))


# --- sessions


async def test_a_planted_session_is_not_the_one_that_somebody_signs_in_to(
    visitor: Client, app: Litestar, pool: Pool
) -> None:
    """Fixation: whoever plants a cookie, their own session even, knows nothing of what comes after the sign-in."""
    await account(pool)
    eve = await person(pool, "eve", Role.VIEWER)
    planted = await signed_in(visitor, pool, eve)
    answer = await visitor.post("/sign-in", data={"name": "ada", "password": PASSWORD})
    assert answer.status_code == 303
    mine = answer.cookies["pinguin"]
    assert mine != planted
    async with browser(app) as attacker:
        attacker.cookies.set("pinguin", planted, domain="pinguin.test")
        assert (await attacker.get("/account")).headers["location"].startswith("/sign-in")
    async with connection(pool) as conn:
        assert await sessions.visit(conn, token_hash(planted), "127.0.0.1") is None


@pytest.mark.parametrize("made_up", ["", "x", "a" * 43, "' or 1=1 --", "../../etc", "%00", "\x7f"])
async def test_a_made_up_session_becomes_none(visitor: Client, pool: Pool, made_up: str) -> None:
    await account(pool)
    visitor.cookies.set("pinguin", made_up, domain="pinguin.test")
    assert (await visitor.get("/account")).status_code == 303
    assert (await visitor.post("/sign-in", data={"name": "ada", "password": PASSWORD})).status_code == 303
    assert await fetch(pool, "select count(*) from sessions") == [(1,)]
    async with connection(pool) as conn:
        assert await sessions.visit(conn, token_hash(made_up), "127.0.0.1") is None


@pytest.mark.parametrize("path", ["/sign-in", "/sign-in/code", "/join", "/setup"])
@pytest.mark.parametrize(
    "headers",
    [{"Origin": EVIL}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": ""}],
    ids=["origin", "sandboxed", "fetch", "nothing"],
)
async def test_nobody_is_signed_in_by_another_site(
    visitor: Client, pool: Pool, path: str, headers: dict[str, str]
) -> None:
    """Login CSRF: else somebody could work in an account of the attacker's, and leave secrets there."""
    await account(pool)
    form = {"name": "ada", "password": PASSWORD, "again": PASSWORD, "token": "x", "step": "x", "code": "1"}
    answer = await visitor.post(path, data=form, headers=headers)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


async def test_an_unknown_name_takes_as_much_work_as_a_known_one(
    visitor: Client, app: Litestar, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One comparison with a hash, whatever the name: a clock tells nobody who has an account."""
    await account(pool)
    compared: list[str] = []
    verify = Passwords._verify

    def counted(self: Passwords, password_hash: str, password: str) -> bool:
        compared.append(password_hash.split("$")[3])
        return verify(self, password_hash, password)

    monkeypatch.setattr(Passwords, "_verify", counted)
    for name in ("ada", "nobody", "ADA", "x" * 200):
        await visitor.post("/sign-in", data={"name": name, "password": "wrong wrong wrong"})
    assert len(compared) == 4
    assert len(set(compared)) == 1  # the same parameters of Argon2


def test_cookies_are_for_https_alone_where_people_come_by_it() -> None:
    proxied = Settings(base_url="https://status.example")
    made = cookie(proxied, "token")
    assert (made.key, made.secure, made.httponly, made.samesite, made.domain) == (
        "__Host-pinguin", True, True, "lax", None,
    )  # fmt: skip
    assert cookie_name(Settings(base_url="http://status.example")) == "pinguin"
    assert cookie_name(Settings(web_secure_cookies=True)) == "__Host-pinguin"


@pytest.mark.parametrize(
    ("base_url", "said"), [("https://status.example", "max-age=31536000"), ("http://status.example", None)]
)
async def test_browsers_are_told_to_come_by_https_alone_where_people_come_by_it(
    base_url: str, said: str | None
) -> None:
    message: Any = {"type": "http.response.start", "status": 200, "headers": []}
    scope: Any = {"type": "http", "path": "/sign-in"}
    await headers.secure(https=Settings(base_url=base_url).secure_cookies)(message, scope)
    assert dict(message["headers"]).get(b"strict-transport-security", b"").decode() == (said or "")


# --- hosts


async def test_a_forged_host_is_in_no_link(
    client: Client, app: Litestar, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    web: Web = app.state.web
    monkeypatch.setattr(web, "settings", msgspec.structs.replace(web.settings, base_url="http://status.example/"))
    forged = {"Host": "evil.test", "Origin": EVIL, "X-Forwarded-Host": "evil.test", "Forwarded": "host=evil.test"}
    answer = await client.submit("/people", {"name": "bob", "role": "viewer"} | IT_IS_ME, headers=forged)
    assert "http://status.example/join?token=" in answer.text
    assert "evil.test" not in answer.text


@pytest.mark.parametrize("host", ["", "a:99999", "a:b", "a b", "[::1", "[x]", "a@b", "a/b", "a:", "\x7f", "x" * 300])
async def test_a_host_that_is_none_is_refused_and_crashes_nothing(client: Client, host: str) -> None:
    for path in ("/", "/nowhere", "/api/v1/me", "/healthz", "/static/pinguin.css"):
        assert (await client.get(path, headers={"Host": host})).status_code == 400, path
    assert (await client.post("/sign-in", data={}, headers={"Host": host, "Origin": host})).status_code == 400


@pytest.mark.parametrize("host", ["pinguin.test", "pinguin.test:8080", "127.0.0.1:1", "[::1]", "[fe80::1]:8080", "a_b"])
async def test_hosts_are_otherwise_as_people_call_us(client: Client, host: str) -> None:
    assert (await client.get("/healthz", headers={"Host": host})).status_code == 200


async def test_without_an_address_of_ours_only_the_browsers_own_counts(client: Client) -> None:
    """Origin is written by the browser: a form that was sent to another host than its page came from is refused."""
    sent = {"name": "bob", "role": "viewer"} | IT_IS_ME
    assert (await client.submit("/people", sent, headers={"Host": "evil.test"})).status_code == 403
    page = (await client.submit("/people", sent, headers={"X-Forwarded-Host": "evil.test"})).text
    assert f"{ADDRESS}/join?token=" in page


# --- tokens


async def test_a_token_opens_no_page_and_a_cookie_no_api(client: Client, app: Litestar, pool: Pool) -> None:
    token = await new_token(pool, 1, "people")
    async with browser(app) as other:
        other.cookies.set("pinguin", token, domain="pinguin.test")
        assert (await other.get("/account", headers={"Authorization": f"Bearer {token}"})).status_code == 303
    cookie_value = client.cookies["pinguin"]
    for given in (cookie_value, f"pgn_{cookie_value}", f"{token}x", token.lower(), f"{token},{token}"):
        answer = await client.get("/api/v1/me", headers={"Authorization": f"Bearer {given}"})
        assert answer.status_code == 401, given
    for path in (f"/api/v1/me?token={token}", f"/api/v1/me?access_token={token}"):
        assert (await client.get(path)).status_code == 401


async def test_nobody_ends_what_is_anothers(client: Client, app: Litestar, pool: Pool) -> None:
    """Numbers in addresses are no keys: sessions, tokens and views of others are not found."""
    bob = await person(pool, "bob", Role.EDITOR)
    await new_token(pool, 1, "write")
    [(session,)] = await fetch(pool, "select id from sessions where user_id = 1")
    async with browser(app) as other:
        await signed_in(other, pool, bob)
        assert (await other.submit(f"/account/sessions/{session}/end")).status_code == 303
        assert (await other.submit("/account/tokens/1/revoke")).status_code == 404
    assert await fetch(pool, "select count(*) from sessions where user_id = 1") == [(1,)]
    assert await fetch(pool, "select revoked_at from api_tokens") == [(None,)]


# --- saved secrets


async def test_the_api_sends_saved_secrets_nowhere_else(client: Client, pool: Pool) -> None:
    await add_monitor(pool, type="http", options=sealed())
    as_bob = {"Authorization": f"Bearer {await new_token(pool, await person(pool, 'bob', Role.EDITOR), 'write')}"}
    for change in ({"url": f"{EVIL}/"}, {"url": SHOP["url"], "proxy": "http://evil.test:3128"}):
        options = {"username": "ada"} | change
        answer = await client.patch("/api/v1/monitors/1", json={"options": options}, headers=as_bob)
        assert answer.status_code in (412, 422, 428), answer.text
        mark = (await client.get("/api/v1/monitors/1", headers=as_bob)).headers["etag"]
        answer = await client.patch(
            "/api/v1/monitors/1", json={"options": options}, headers=as_bob | {"If-Match": mark}
        )
        assert answer.status_code == 422, answer.text
        assert "must be typed again" in answer.text
    assert await fetch(pool, "select version from monitors") == [(1,)]


async def test_no_answer_of_the_api_holds_a_secret_or_its_seal(client: Client, pool: Pool) -> None:
    await add_monitor(pool, type="http", options=sealed())
    as_ada = {"Authorization": f"Bearer {await new_token(pool, 1, 'people')}"}
    paths = ("/monitors", "/monitors/1", "/audit", "/monitors?q=canary", "/check-types/http")
    for path in paths:
        text = (await client.get(f"/api/v1{path}", headers=as_ada)).text
        assert "canary" not in text.replace("q=canary", ""), path
        assert PREFIX not in text, path


# --- exports


FORMULAS = ["=1+1", "+1", "-1+cmd|' /C calc'!A0", "@SUM(A1)", "\t=1", "\r=1", " =1", "|x", "%x", "＝1", "＋1"]


@pytest.mark.parametrize("formula", FORMULAS)
def test_no_cell_begins_a_formula(formula: str) -> None:
    assert cell(formula) == f"'{formula}"
    assert cell([formula, "b"]).startswith("'")


@pytest.mark.parametrize("formula", FORMULAS)
async def test_no_name_tag_or_message_is_a_formula_in_an_export(client: Client, pool: Pool, formula: str) -> None:
    shop = await add_monitor(pool, name=formula, tags=[formula], target=formula)
    await add_incident(pool, shop, message=formula)
    text = (await client.get("/incidents/export.csv")).text
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert len(rows) == 1
    for name in ("monitor", "message", "tags", "target"):
        assert rows[0][name].startswith("'"), (name, rows[0][name])


async def test_names_are_data_in_every_script_and_address(client: Client, pool: Pool) -> None:
    """A name that ends a script, an attribute or a header is text wherever it stands."""
    hostile = "</script><script>alert(1)</script>\"' onload=x\r\nSet-Cookie: a=b"
    shop = await add_monitor(pool, name=hostile, tags=[hostile[:50]])
    await add_incident(pool, shop, message=hostile)
    for path in ("/", "/monitors", f"/monitors/{shop}", "/incidents", "/incidents/1", f"/monitors/{shop}/edit"):
        answer = await client.get(path)
        assert "<script>alert" not in answer.text, path
        assert "a=b" not in str(answer.headers), path
    for path in ("/incidents/export.csv", "/incidents/export.json", "/audit.csv"):
        answer = await client.get(path)
        assert "\n" not in answer.headers["content-disposition"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-type"].startswith(("text/csv", "application/json"))


async def test_what_a_target_answers_is_text(client: Client, pool: Pool) -> None:
    markup = "<svg onload=alert(1)><script>alert(2)</script>"
    shop = await add_monitor(pool)
    await add_incident(pool, shop, message=markup, evidence={markup: markup, "certificate": {"subject": markup}})
    page = (await client.get("/incidents/1")).text
    assert "<svg onload" not in page
    assert "<script>alert" not in page
    assert "&lt;svg onload" in page


async def test_the_log_of_an_attack_is_kept_and_no_page_alters_it(client: Client, pool: Pool) -> None:
    await client.submit("/account/tokens", {"label": "x", "scope": "write", "current": "guessed, guessed"})
    assert await fetch(pool, "select count(*) from audit where action = 'sign_in.fail'") == [(1,)]
    for statement in ("delete from audit returning 1", "update audit set actor = 'eve' returning 1"):
        with pytest.raises(Exception, match="only ever added to"):
            await fetch(pool, statement)
