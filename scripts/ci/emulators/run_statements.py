"""Run the SQL statements of a JSON file on an emulator. Run by scripts/ci/emulate."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path


def snowflake_runner(port: int) -> Callable[[str], object]:
    """Return a function that runs a statement on fakesnow."""
    import snowflake.connector

    connection = snowflake.connector.connect(
        user="nobody",
        password="nothing",
        account="fakesnow",
        host="127.0.0.1",
        port=port,
        protocol="http",
        session_parameters={"CLIENT_OUT_OF_BAND_TELEMETRY_ENABLED": False},
    )
    return connection.cursor().execute


def bigquery_runner(port: int) -> Callable[[str], object]:
    """Return a function that runs a statement on crucible."""
    from google.api_core.client_options import ClientOptions
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import bigquery

    client = bigquery.Client(
        project="emulated",
        credentials=AnonymousCredentials(),
        client_options=ClientOptions(api_endpoint=f"http://127.0.0.1:{port}"),
    )
    return lambda sql: client.query(sql).result()


def main() -> int:
    """Run all statements; return 1 at the first that fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("warehouse", choices=("snowflake", "bigquery"))
    parser.add_argument("port", type=int)
    parser.add_argument("statements", type=Path, help="JSON list of SQL statements")
    arguments = parser.parse_args()
    runners = {"snowflake": snowflake_runner, "bigquery": bigquery_runner}
    run = runners[arguments.warehouse](arguments.port)
    for statement in json.loads(arguments.statements.read_text("utf-8")):
        try:
            run(statement)
        except Exception as error:
            message = " ".join(str(error).split())[:400]
            print(f"run_statements: {statement[:120]}…: {message}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
