"""Say in one line which process holds the warehouse, and exit with 2 when one does.

`make build` asks when dbt found the file locked: DuckDB does not say what to do.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts.warehouse import connect, warehouse_path


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    argparse.ArgumentParser(description=__doc__.split("\n\n")[0]).parse_args(arguments)
    path = warehouse_path()
    if path.exists():
        connect(path).close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
