"""`pinguin psql`: psql on whichever database runs."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from pinguin.db import SQL
from pinguin.embedded.attach import attached
from pinguin.errors import PinguinError
from pinguin.settings import Settings


def psql(settings: Settings, arguments: Sequence[str]) -> NoReturn:
    """Become psql, in the folder of the analytics questions, so that `\\i uptime.sql` asks one."""
    program = shutil.which("psql")
    if program is None:
        raise PinguinError("psql is not installed: `apt-get install postgresql-client`, or `brew install libpq`")
    questions = sorted(path.name for path in (SQL / "analytics").glob("*.sql"))
    if not arguments:
        print("\\dv history.*  lists the views for people; \\d+ history.results  explains one.")
        print(f"Questions that are written already: {', '.join(questions)}. \\i FILE asks one.", flush=True)
    found = attached(settings)  # a relative data folder is meant from here
    if found.database_url == Settings().database_url:
        where = f"Nothing runs in {settings.data} (`make up` starts it)"
        print(f"{where}, and PINGUIN_DATABASE_URL is not set: asking this machine's own PostgreSQL.", file=sys.stderr)
    given: dict[str, Any] = conninfo_to_dict(found.database_url)
    password = given.pop("password", None)
    environment = dict(os.environ) | ({"PGPASSWORD": str(password)} if password else {})  # not for `ps` to show
    os.chdir(SQL / "analytics")
    os.execve(program, [program, make_conninfo(**given), *arguments], environment)  # noqa: S606
