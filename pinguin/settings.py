"""Settings: `PINGUIN_*` variables, parsed strictly. An unknown or bad one stops start-up and names itself."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, inspect

from pinguin.errors import SettingsError

PREFIX = "PINGUIN_"
ELSEWHERE = ("PINGUIN_TEST_",)
"""Variables that begin so belong to the tests, not to us."""
SECRET = ("database_url", "redis_url", "secret_key", "secret_key_old", "setup_token", "ping_key")
"""Settings that no message and no repr shows."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Every setting, its limits and its default. The README's table is checked against this."""

    database_url: Annotated[str, Meta(description="PostgreSQL with TimescaleDB, as libpq writes it")] = (
        "postgresql://pinguin@127.0.0.1:5432/pinguin"
    )
    redis_url: Annotated[
        str, Meta(description="Redis or Valkey: redis://, rediss://, unix://, redis+sentinel:// or rediss+sentinel://")
    ] = "redis://127.0.0.1:6379/0"
    secret_key: Annotated[
        str,
        Meta(
            pattern=r"^$|^[\s\S]{16,}$",
            description="seals stored secrets: 16 characters or more, the same for every process. `make up` makes one",
        ),
    ] = ""
    secret_key_file: Annotated[str, Meta(description="a file that holds it, in place of the variable")] = ""
    secret_key_old: Annotated[
        str, Meta(description="after a change of the key: the one before, which opens what it sealed")
    ] = ""
    script_dir: Annotated[str, Meta(description="the folder whose programs channels may run; empty: none")] = ""
    base_url: Annotated[
        str,
        Meta(pattern=r"^$|^https?://\S+$", description="where people open these pages; for the links in alerts"),
    ] = ""
    data_dir: Annotated[str, Meta(min_length=1, description="where the embedded stack keeps its data")] = "data"
    setup_token: Annotated[
        str,
        Meta(
            pattern=r"^$|^[A-Za-z0-9_-]{16,}$",
            description="makes the first account: 16 letters or digits or more; empty: the data folder's `setup.token`",
        ),
    ] = ""
    web_host: Annotated[str, Meta(description="address that the pages listen on")] = "127.0.0.1"
    web_port: Annotated[int, Meta(ge=1, le=65535, description="port that the pages listen on")] = 8080
    web_secure_cookies: Annotated[
        bool,
        Meta(description="set where the pages are served over HTTPS; a PINGUIN_BASE_URL with https:// sets it too"),
    ] = False
    trusted_proxies: Annotated[
        str, Meta(description="addresses or networks, …,… of proxies whose X-Forwarded-For is believed; empty: none")
    ] = ""
    private_targets: Annotated[
        Literal["allow", "deny"],
        Meta(description="deny: checks and channels may not connect to private addresses (docs/security.md)"),
    ] = "allow"
    private_networks: Annotated[
        str, Meta(description="addresses or networks, …,… that they may connect to all the same")
    ] = ""
    audit_retention_days: Annotated[int, Meta(ge=91, le=36500, description="days that the audit log is kept")] = 730
    region: Annotated[
        str,
        Meta(pattern="^[a-z0-9][a-z0-9-]{0,30}$", description="the region whose queue this worker takes from"),
    ] = "local"
    worker_concurrency: Annotated[
        int, Meta(ge=1, le=10000, description="checks that one worker runs at the same time")
    ] = 200
    worker_grace_s: Annotated[
        float, Meta(ge=0, le=600, description="seconds that a worker may finish its checks when it is asked to stop")
    ] = 10.0
    worker_canaries: Annotated[
        str,
        Meta(
            pattern=r"^(\S+:\d+(,\S+:\d+)*)?$",
            description="host:port,… that always answer: when none does, the worker's own network is gone",
        ),
    ] = ""
    worker_sends: Annotated[
        bool, Meta(description="whether this worker sends alerts too; one that reaches no mail server should not")
    ] = True
    spill_limit: Annotated[int, Meta(ge=1000, description="results that Redis keeps while the database is away")] = (
        200_000
    )
    ping_body_limit: Annotated[
        int, Meta(ge=0, le=1_000_000, description="bytes of a ping's body that are kept; the rest is cut off")
    ] = 10_000
    ping_key: Annotated[
        str,
        Meta(
            pattern=r"^$|^[A-Za-z0-9_-]{16,100}$",
            description="lets jobs ping by name, as /ping/KEY/SLUG, and with ?create=1 make their monitor; empty: off",
        ),
    ] = ""
    database_pool: Annotated[int, Meta(ge=1, le=100, description="database connections of one process")] = 4
    raw_retention_days: Annotated[int, Meta(ge=8, le=36500, description="days that raw results are kept")] = 90
    rollup_retention_days: Annotated[
        int, Meta(ge=30, le=36500, description="days that hourly and daily roll-ups are kept")
    ] = 1826
    columnstore_after_days: Annotated[
        int, Meta(ge=1, le=365, description="days after which raw results move to the columnstore")
    ] = 3
    health_host: Annotated[
        str, Meta(description="address on which scheduler and worker serve /healthz, /readyz and /metrics")
    ] = "127.0.0.1"
    health_port: Annotated[
        int,
        Meta(ge=0, le=65535, description="port of the same; 0: none. `pinguin up` gives its worker the next one"),
    ] = 0
    watchdog_s: Annotated[
        float,
        Meta(
            ge=0,
            le=3600,
            description="seconds after which a process that hangs ends itself, to be started again; 0: never",
        ),
    ] = 30.0
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="the least level that is logged")
    ] = "info"
    log_format: Annotated[
        Literal["auto", "console", "json"],
        Meta(description="auto: console on a terminal, JSON lines elsewhere"),
    ] = "auto"

    def __repr__(self) -> str:
        shown = {name: value for name, value in msgspec.structs.asdict(self).items() if name not in SECRET}
        return f"Settings({', '.join(f'{name}={value!r}' for name, value in shown.items())}, …)"

    @property
    def data(self) -> Path:
        return Path(self.data_dir).expanduser().resolve()

    @property
    def secure_cookies(self) -> bool:
        """Whether browsers come over HTTPS, as far as we are told: a proxy in front of us speaks plainly to us."""
        return self.web_secure_cookies or self.base_url.lower().startswith("https://")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Settings:
        """The settings of `environment`. Raises `SettingsError` that names every unknown or bad variable."""
        given = {
            name.removeprefix(PREFIX).lower(): value
            for name, value in environment.items()
            if name.startswith(PREFIX) and not name.startswith(ELSEWHERE)
        }
        fields = {item.name: item for item in msgspec.structs.fields(cls)}
        wrong = []
        values = {}
        for name, text in sorted(given.items()):
            variable = PREFIX + name.upper()
            if name not in fields:
                wrong.append(f"{variable} is not a setting of Pinguin")
                continue
            try:
                values[name] = msgspec.convert(text, fields[name].type, strict=False)
            except msgspec.ValidationError:
                wrong.append(f"{variable}={_shown(name, text)}: {_wanted(name, fields[name].type)}")
        wrong += _wrong_canaries(values.get("worker_canaries", ""))
        wrong += _wrong_proxies(values.get("trusted_proxies", ""))
        wrong += _wrong_networks(values.get("private_networks", ""))
        if values.get("secret_key") and values.get("secret_key_file"):
            wrong.append(f"{PREFIX}SECRET_KEY and {PREFIX}SECRET_KEY_FILE are both set; set one of them")
        if wrong:
            known = ", ".join(PREFIX + name.upper() for name in fields)
            raise SettingsError("\n".join([*wrong, f"The settings are {known}."]))
        return cls(**values)

    def environment(self) -> dict[str, str]:
        """These settings as variables, for a child process."""
        return {
            PREFIX + name.upper(): str(value).lower() if isinstance(value, bool) else str(value)
            for name, value in msgspec.structs.asdict(self).items()
        }


def _wrong_canaries(text: str) -> list[str]:
    ports = [item.rpartition(":")[2] for item in text.split(",") if item]
    variable = PREFIX + "WORKER_CANARIES"
    return [f"{variable}: {port} is no port from 1 to 65535" for port in ports if not 1 <= int(port) <= 65535]


def _wrong_proxies(text: str) -> list[str]:
    """No `*`, and no network of everybody: whoever is trusted says who asks."""
    wrong = []
    for item in text.split(",") if text else ():
        try:
            good = ipaddress.ip_network(item).prefixlen > 0
        except ValueError:
            good = False
        if not good:
            wrong.append(f"{PREFIX}TRUSTED_PROXIES: {item!r} is no address or network, such as 10.0.0.5 or 10.0.0.0/24")
    return wrong


def _wrong_networks(text: str) -> list[str]:
    wrong = []
    for item in text.split(",") if text else ():
        try:
            ipaddress.ip_network(item)
        except ValueError:
            words = "is no address or network, such as 10.0.0.5 or 10.0.0.0/24"
            wrong.append(f"{PREFIX}PRIVATE_NETWORKS: {item!r} {words}")
    return wrong


def _shown(name: str, text: str) -> str:
    """A repr, but never of what may hold a password. TRAP 24"""
    return "…" if name in SECRET else repr(text)


TEXTS = {
    "base_url": "must be an address with http:// or https://, without spaces",
    "secret_key": "must have 16 characters or more",
    "data_dir": "must name a folder",
    "setup_token": "must be 16 characters or more: letters, digits, - and _",
    "ping_key": "must be 16 characters or more: letters, digits, - and _",
    "worker_canaries": "must be host:port,… such as 10.0.0.1:443,dns.example:53",
    "region": "must be a short name of small letters, digits and -",
}
"""What is wanted where the type does not tell it to a person."""


def _wanted(name: str, annotation: Any) -> str:
    """All that a setting must be: who writes a word for a port is not told the range at the next start only."""
    kind = inspect.type_info(annotation)
    match kind.type if isinstance(kind, inspect.Metadata) else kind:
        case inspect.LiteralType(values=values):
            return f"must be one of {', '.join(map(str, values))}"
        case inspect.BoolType():
            return "must be true or false"
        case inspect.IntType(ge=least, le=most):
            return f"must be a whole number{_range(least, most)}"
        case inspect.FloatType(ge=least, le=most):
            return f"must be a number{_range(least, most)}"
        case _:
            return TEXTS[name]


def _range(least: float | None, most: float | None) -> str:
    return f" from {least} on" if most is None else f" from {least} to {most}"
