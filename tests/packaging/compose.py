"""docker-compose.yml as Python values, its variables filled in as compose would."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

from tests.packaging.checkout import ROOT

TEXT = (ROOT / "docker-compose.yml").read_text()
OURS = ("migrate", "scheduler", "worker", "web")
_VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")


def services(variables: Mapping[str, str] | None = None) -> dict[str, dict[str, Any]]:
    """The services of the stack, with `variables` in the place of .env."""
    given = {"POSTGRES_PASSWORD": "secret"} if variables is None else variables

    def value(found: re.Match[str]) -> str:
        name, operator, rest = found.groups()
        if given.get(name):
            return given[name]
        if operator == "-":
            return str(rest)
        raise KeyError(rest or name)

    loaded = yaml.safe_load(_VARIABLE.sub(value, TEXT))
    return dict(loaded["services"])


def environment(service: Mapping[str, Any], variables: Mapping[str, str] | None = None) -> dict[str, str]:
    """What its process sees. A variable without a value comes from .env, or is not there."""
    given = variables or {}
    wanted = {name: given.get(name) if value is None else str(value) for name, value in service["environment"].items()}
    return {name: value for name, value in wanted.items() if value is not None}
