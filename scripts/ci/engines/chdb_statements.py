"""Run ClickHouse statements in this process (chdb) and print what the last one answers.

Reads a JSON list of statements from standard input and prints a JSON list of rows. Needs the Python
of .venv-clickhouse; only one process at a time may open the folder of the data.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the statements; returns 1 when one of them is refused."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path, help="folder of the data, made when missing")
    options = parser.parse_args(arguments)
    try:
        from chdb.session import Session
    except ImportError as error:
        print(f"error: {error}; use .venv-clickhouse/bin/python", file=sys.stderr)
        return 2
    answer = ""
    session = Session(str(options.path))
    try:
        for statement in json.load(sys.stdin):
            answer = str(session.query(statement, "JSONCompact"))
    # The library raises errors of more than one kind, and all of them are about the statement.
    except Exception as error:
        print(f"error: {str(error).strip().splitlines()[0]}", file=sys.stderr)
        return 1
    finally:
        session.close()
    print(json.dumps(json.loads(answer)["data"] if answer.strip() else []))
    return 0


if __name__ == "__main__":
    sys.exit(main())
