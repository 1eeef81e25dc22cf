"""Check the facts and marts as a whole with Great Expectations, before they are published.

dbt tests look at rows inside the build; the suites beside this file look at what came out: row
counts, shares of missing values, cost bands, and whether the marts still add up to the facts. They
are JSON that people read and edit; README.md in this folder says how.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from scripts.warehouse import (
    MARTS_SCHEMA,
    PROJECT_DIR,
    connect,
    fail,
    make_folder,
    quote_identifier,
    reading,
    warehouse_path,
)

if TYPE_CHECKING:
    from great_expectations.core import ExpectationValidationResult

SUITES_FOLDER = Path(__file__).resolve().parent / "suites"
RESULTS_FILE = PROJECT_DIR / "target/quality/checkpoint.json"
SHOWN_ROWS = 10


@dataclass(frozen=True)
class Finding:
    """The result of one expectation.

    `rows` has the first offending rows (their keys and the figures concerned), `row_count` how many
    there are; `error` is set when the expectation could not be evaluated at all.
    """

    table: str
    name: str
    column: str
    severity: str
    is_met: bool
    description: str
    observed: str
    row_count: int
    rows: list[dict[str, str]]
    error: str = ""


def main(arguments: list[str] | None = None) -> int:
    """Run all suites; return 1 when a critical expectation is not met, else 0."""
    parser = argparse.ArgumentParser(
        description="Check facts and marts with Great Expectations. Reads the warehouse and writes "
        "nothing to it. Exit code 1 when a critical expectation is not met; warnings are printed "
        "only."
    )
    parser.add_argument(
        "--warehouse",
        type=Path,
        help="DuckDB file to check (default: AGENT_ANALYTICS_DUCKDB_PATH)",
    )
    parser.add_argument(
        "--results",
        type=Path,
        default=RESULTS_FILE,
        help="JSON file for the results (default: target/quality/checkpoint.json)",
    )
    options = parser.parse_args(arguments)
    path = (options.warehouse or warehouse_path()).absolute()
    suites = [read_suite(file) for file in sorted(SUITES_FOLDER.glob("*.json"))]
    require_tables(path, [suite["table"] for suite in suites])
    with reading(path):
        findings = run_suites(path, suites)
    for finding in findings:
        # What cannot be read is said once, and not for every expectation.
        if "IO Error" in finding.error:
            fail(f"{path} cannot be read: {finding.error}; restore it, or remove it and build anew")
    write_results(options.results, path, findings)
    print_findings(findings)
    return 1 if any(is_critical(finding) for finding in findings) else 0


def read_suite(file: Path) -> dict[str, Any]:
    """Return one suite. Queries are written as lists of lines and joined here.

    Exits with one clear line when the file is not valid JSON or lacks a part.
    """
    try:
        suite = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        fail(f"{file} is not valid JSON: {error}")
    missing = [part for part in ("table", "key", "expectations") if part not in suite]
    if missing:
        fail(f"{file}: {missing[0]!r} is missing; see the other suites")
    for expectation in suite["expectations"]:
        lines = expectation["kwargs"].get("unexpected_rows_query")
        if isinstance(lines, list):
            expectation["kwargs"]["unexpected_rows_query"] = "\n".join(lines)
    return suite


def require_tables(path: Path, tables: list[str]) -> None:
    """Exit with one clear line unless the warehouse has all tables the suites are about."""
    with connect(path, read_only=True) as connection, reading(path):
        found = connection.execute(
            "select table_name from information_schema.tables where table_schema = ?",
            [MARTS_SCHEMA],
        ).fetchall()
    missing = sorted(set(tables) - {name for (name,) in found})
    if missing:
        fail(f"{path} has no table {MARTS_SCHEMA}.{missing[0]}: run `dbt build` first")


def run_suites(path: Path, suites: list[dict[str, Any]]) -> list[Finding]:
    """Return the results of all expectations of all suites, in the order they are written in."""
    # Before the import: Great Expectations reports its use to its makers otherwise.
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations as gx

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False, "metric_calculations": False}
    # Both settings are needed: Great Expectations reads rows after it gave the connection back to
    # the pool, and the roll-back that comes with that empties a DuckDB result.
    source = context.data_sources.add_sql(
        "warehouse",
        # Quoted: the library takes $NAME for a variable of the environment.
        connection_string=f"duckdb:///{quote(str(path))}?access_mode=read_only",
        kwargs={"isolation_level": "AUTOCOMMIT", "skip_autocommit_rollback": True},
    )
    findings: list[Finding] = []
    try:
        for suite in suites:
            table = suite["table"]
            asset = source.add_query_asset(
                table, query=f"select * from {MARTS_SCHEMA}.{quote_identifier(table)}"
            )
            batch = asset.add_batch_definition_whole_table(table).get_batch()
            found: list[Finding] = []
            for kind, expectations in by_kind(suite["expectations"]).items():
                result = batch.validate(
                    gx.ExpectationSuite(name=f"{table}_{kind}", expectations=expectations),
                    result_format={
                        # Queries give their rows only when asked for everything; the other
                        # expectations would list every missing value of the table then.
                        "result_format": "COMPLETE" if kind == "queries" else "SUMMARY",
                        "unexpected_index_column_names": suite["key"],
                        "partial_unexpected_count": SHOWN_ROWS,
                    },
                )
                found += [to_finding(table, single) for single in result.results]
            # The library does not keep the order of the file.
            order = [expectation["meta"]["name"] for expectation in suite["expectations"]]
            findings += sorted(found, key=lambda finding: order.index(finding.name))
    finally:
        source.get_engine().dispose()
    return findings


def by_kind(expectations: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Return the expectations of a suite, those with a query of their own apart."""
    kinds: dict[str, list[dict[str, Any]]] = {}
    for expectation in expectations:
        has_query = expectation["type"] == "unexpected_rows_expectation"
        kinds.setdefault("queries" if has_query else "columns", []).append(expectation)
    return kinds


def to_finding(table: str, single: ExpectationValidationResult) -> Finding:
    """Return what matters of one result of Great Expectations."""
    config = single.expectation_config
    assert config is not None
    result = single.result or {}
    error = "" if result else first_line_of_error(single.exception_info)
    observed = result.get("observed_value")
    rows = result.get("partial_unexpected_index_list") or []
    details = result.get("details") or {}
    rows = details.get("unexpected_rows", rows)
    row_count = len(rows) if "unexpected_rows" in details else result.get("unexpected_count", 0)
    if isinstance(observed, int) and "unexpected_rows" in details:
        row_count = observed
    # A mean or a maximum of no values has nothing to be out of its band.
    is_unmeasured = not error and "observed_value" in result and observed is None
    share = result.get("unexpected_percent")
    return Finding(
        table=table,
        name=str(config.meta["name"]),
        column=str(config.meta.get("column") or config.kwargs.get("column") or ""),
        severity=str(getattr(config.severity, "value", config.severity)),
        is_met=bool(single.success) or is_unmeasured,
        description=str(config.description or ""),
        observed=f"{share:.1f} % of rows" if share is not None else str(observed or ""),
        row_count=int(row_count or 0),
        rows=[{name: shown(value) for name, value in row.items()} for row in rows[:SHOWN_ROWS]],
        error=error,
    )


def shown(value: object) -> str:
    """Return a value of an offending row as people write it."""
    if value is None:
        return "null"
    return format(value.normalize(), "f") if isinstance(value, Decimal) else str(value)


def first_line_of_error(exception_info: dict[str, Any] | None) -> str:
    """Return the message of an expectation that could not be evaluated."""
    for value in (exception_info or {}).values():
        if isinstance(value, dict) and value.get("exception_message"):
            return " ".join(str(value["exception_message"]).split())[:300]
    return str((exception_info or {}).get("exception_message") or "no result")[:300]


def is_critical(finding: Finding) -> bool:
    """Tell whether a finding must stop the build."""
    return not finding.is_met and finding.severity != "warning"


def write_results(file: Path, warehouse: Path, findings: list[Finding]) -> None:
    """Write all findings about a warehouse as JSON, for machines and later reading."""
    make_folder(file.parent)
    content = {
        "warehouse": str(warehouse.resolve()),
        "checked_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "is_success": not any(is_critical(finding) for finding in findings),
        "findings": [asdict(finding) for finding in findings],
    }
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        fail(f"{file} cannot be written: {error.strerror}; choose another --results")


def print_findings(findings: list[Finding]) -> None:
    """Print what is not met, with the offending rows, and one closing line."""
    for finding in findings:
        if finding.is_met:
            continue
        is_warning = finding.severity == "warning"
        stream = sys.stdout if is_warning else sys.stderr
        column = f".{finding.column}" if finding.column else ""
        label = "warning" if is_warning else "error"
        print(f"{label}: {finding.name} ({finding.table}{column})", file=stream)
        print(f"  {finding.description}", file=stream)
        if finding.error:
            print(f"  could not be evaluated: {finding.error}", file=stream)
        elif finding.observed and not finding.rows:
            print(f"  observed: {finding.observed}", file=stream)
        for row in finding.rows:
            print("  " + "  ".join(f"{name}={value}" for name, value in row.items()), file=stream)
        if finding.row_count > len(finding.rows) > 0:
            print(f"  … {finding.row_count} in all", file=stream)
    failed = sum(is_critical(finding) for finding in findings)
    warnings = sum(not finding.is_met for finding in findings) - failed
    print(
        f"Great Expectations: {len(findings)} expectations, {failed} not met, {warnings} warning(s)"
    )


if __name__ == "__main__":
    raise SystemExit(main())
