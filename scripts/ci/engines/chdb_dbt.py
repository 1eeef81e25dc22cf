"""Run dbt on ClickHouse as a library in dbt's own process (chdb), instead of on a server.

Takes the arguments of dbt and needs the Python of .venv-clickhouse. The data lie in the folder that
AGENT_ANALYTICS_CHDB_PATH names, which one process at a time may open.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

PATH_VARIABLE = "AGENT_ANALYTICS_CHDB_PATH"


def use_library(path: str) -> None:
    """Let dbt-clickhouse talk to the library wherever it would connect to a server."""
    import clickhouse_connect

    connect = clickhouse_connect.get_client

    def get_client(*, settings: Mapping[str, object] | None = None, **_: object) -> object:
        # Host, user and encryption of the profile have no meaning here.
        return connect(interface="chdb", path=path, settings=settings, query_limit=0)

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
