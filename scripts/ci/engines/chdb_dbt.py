"""Run dbt on ClickHouse as a library in dbt's own process (chdb), instead of on a server.

Takes the arguments of dbt and needs the Python of .venv-clickhouse. The data lie in the folder that
AGENT_ANALYTICS_CHDB_PATH names, which one process at a time may open.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clickhouse_connect.driver.query import QueryResult

PATH_VARIABLE = "AGENT_ANALYTICS_CHDB_PATH"
# A query, after the comments dbt puts before it.
READS_ROWS = re.compile(r"(\s|/\*.*?\*/|--[^\n]*\n)*(select|with)\b", re.IGNORECASE | re.DOTALL)


def use_library(path: str) -> None:
    """Let dbt-clickhouse talk to the library wherever it would connect to a server."""
    import clickhouse_connect
    from clickhouse_connect.datatypes.registry import get_from_name

    connect = clickhouse_connect.get_client

    def get_client(*, settings: Mapping[str, object] | None = None, **_: object) -> object:
        # Host, user and encryption of the profile have no meaning here.
        client = connect(interface="chdb", path=path, settings=settings, query_limit=0)
        ask = client.query

        def query(statement: str, **options: object) -> QueryResult:
            result = ask(statement, **options)
            if not result.column_names and READS_ROWS.match(statement):
                # Unlike a server, the library names no columns when there are no rows.
                described = ask(f"describe table (\n{statement}\n)", **options)
                result.column_names = tuple(row[0] for row in described.result_rows)
                result.column_types = tuple(get_from_name(row[1]) for row in described.result_rows)
            return result

        client.query = query
        return client

    clickhouse_connect.get_client = get_client


def main() -> int:
    """Run dbt's command line; returns its exit code."""
    path = os.environ.get(PATH_VARIABLE)
    if sys.argv[1:] in (["-h"], ["--help"]):
        print(__doc__)
    if not path:
        print(f"error: set {PATH_VARIABLE} to the folder of the data", file=sys.stderr)
        return 2
    try:
        use_library(path)
    except ImportError as error:
        print(
            f"error: {error}; run scripts/ci/prepare_environment clickhouse"
            " and use .venv-clickhouse/bin/python",
            file=sys.stderr,
        )
        return 2
    from dbt.cli.main import dbtRunner

    result = dbtRunner().invoke(sys.argv[1:])
    # As dbt itself: 1 when a node failed, 2 when dbt could not run at all.
    return 0 if result.success else 2 if result.exception is not None else 1


if __name__ == "__main__":
    sys.exit(main())
