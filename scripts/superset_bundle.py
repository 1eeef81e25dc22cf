"""Write the file that Apache Superset imports: a database, its datasets and one dashboard.

Datasets are derived from the published file, with the descriptions of tables and columns, and
their metrics from the semantic layer, so that a number has one definition. What the dashboard
shows stands in dashboards/superset/dashboard.yml.
"""

from __future__ import annotations

import argparse
import json
import sys
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import duckdb
import yaml

from scripts.warehouse import (
    AUDIT_SCHEMA,
    MARTS_SCHEMA,
    PROJECT_DIR,
    connect,
    fail,
    make_folder,
    published_path,
    reading,
    require_published,
)

DASHBOARD_FILE = PROJECT_DIR / "dashboards/superset/dashboard.yml"
METRICS_FILE = PROJECT_DIR / "models/marts/core/_core__models.yml"
DATABASE = "Agent analytics"
FOLDER = "agent_analytics"
AGGREGATES = {"sum": "sum", "count": "count", "average": "avg", "min": "min", "max": "max"}
COLUMNS_OF_PAGE = 12
ROW_HEIGHT = {"number": 20, "bars": 50, "table": 50, "rows": 60}
VIZ_TYPES = {
    "number": "big_number_total",
    "bars": "echarts_timeseries_bar",
    "table": "table",
    "rows": "table",
}


def main(arguments: list[str] | None = None) -> int:
    """Write the bundle and return the exit code."""
    parser = argparse.ArgumentParser(
        description="Write the zip file that `superset import-dashboards -p FILE -u USER` takes: "
        "the database, a dataset for every published table, and the dashboard of "
        "dashboards/superset/dashboard.yml. Reads the published file "
        "(AGENT_ANALYTICS_PUBLISHED_PATH); run it again after tables or columns changed."
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="zip file to write")
    parser.add_argument(
        "--uri",
        help="SQLAlchemy address of the warehouse Superset reads, as "
        "postgresql://reader:XXXXXXXXXX@host/database (default: the published DuckDB file); leave "
        "the password out and set it in Superset",
    )
    options = parser.parse_args(arguments)
    path = published_path()
    require_published(path)
    with connect(path, read_only=True) as connection, reading(path):
        tables = described_tables(connection)
    if not tables:
        fail(f"{path} has no published tables: run `make build` first", 1)
    files = bundle(tables, options.uri or f"duckdb:///{path.absolute()}")
    make_folder(options.out.absolute().parent)
    try:
        with zipfile.ZipFile(options.out, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in files.items():
                archive.writestr(f"bundle/{name}", yaml.safe_dump(content, sort_keys=False))
    except OSError as error:
        fail(f"{options.out} cannot be written: {error.strerror}")
    charts = sum(1 for name in files if name.startswith("charts/"))
    print(f"Wrote {len(tables)} datasets and a dashboard of {charts} charts to {options.out}")
    print(f"Import it: superset import-dashboards -p {options.out} -u admin")
    return 0


def identity(*names: str) -> str:
    """Return the same identifier for the same names, so that importing again replaces."""
    return str(uuid5(NAMESPACE_URL, "/".join(("agent-analytics", *names))))


def described_tables(connection: duckdb.DuckDBPyConnection) -> dict[str, dict[str, Any]]:
    """Return the published tables by name: schema, description, columns with type and description.

    Tables of marts and audit have names of their own in both schemas.
    """
    schemas = [MARTS_SCHEMA, AUDIT_SCHEMA]
    tables = {
        name: {"schema": schema, "description": comment, "columns": []}
        for schema, name, comment in connection.execute(
            "select schema_name, table_name, comment from duckdb_tables() "
            "where list_contains(?, schema_name) order by 2",
            [schemas],
        ).fetchall()
    }
    for table, name, kind, comment in connection.execute(
        "select table_name, column_name, data_type, comment from duckdb_columns() "
        "where list_contains(?, schema_name) and table_name in "
        "(select table_name from duckdb_tables()) order by table_name, column_index",
        [schemas],
    ).fetchall():
        tables[table]["columns"].append((name, kind, comment))
    return tables


def bundle(tables: dict[str, dict[str, Any]], uri: str) -> dict[str, Any]:
    """Return the files of the bundle by name: mappings that are written as YAML.

    `tables` are those of `described_tables`; exits with one clear line when the dashboard names a
    table, column or metric that is not there.
    """
    board = yaml.safe_load(DASHBOARD_FILE.read_text("utf-8"))
    metrics = semantic_metrics()
    files: dict[str, Any] = {
        "metadata.yaml": {
            "version": "1.0.0",
            "type": "Dashboard",
            "timestamp": datetime.now(UTC).isoformat(),
        },
        f"databases/{FOLDER}.yaml": database(uri),
    }
    for name, table in tables.items():
        files[f"datasets/{FOLDER}/{name}.yaml"] = dataset(name, table, metrics.get(name, {}))
    for number, chart in enumerate(chart for row in board["rows"] for chart in row):
        check_chart(chart, tables, metrics)
        files[f"charts/{number:02d}.yaml"] = chart_file(chart, tables[chart["table"]])
    files[f"dashboards/{FOLDER}.yaml"] = dashboard(board)
    return files


def database(uri: str) -> dict[str, Any]:
    """Return the connection; a DuckDB file is opened to be read only."""
    extra: dict[str, Any] = {"allows_virtual_table_explore": True}
    if uri.startswith("duckdb:"):
        extra["engine_params"] = {"connect_args": {"read_only": True}}
    return {
        "database_name": DATABASE,
        "sqlalchemy_uri": uri,
        "cache_timeout": 0,
        "expose_in_sqllab": True,
        "allow_run_async": False,
        "allow_ctas": False,
        "allow_cvas": False,
        "allow_dml": False,
        "extra": extra,
        "uuid": identity("database"),
        "version": "1.0.0",
    }


def time_column(table: dict[str, Any]) -> str | None:
    """Return the day a table is cut by, None for one that looks at a whole window."""
    days = (name for name, kind, _ in table["columns"] if kind == "DATE")
    return next((name for name in days if not name.startswith("window_")), None)


def dataset(name: str, table: dict[str, Any], metrics: dict[str, Any]) -> dict[str, Any]:
    """Return the dataset of a table with the metrics that the semantic layer has for it."""
    return {
        "table_name": name,
        "main_dttm_col": time_column(table),
        "description": table["description"],
        "schema": table["schema"],
        "filter_select_enabled": True,
        "uuid": identity("dataset", name),
        "metrics": [
            {
                "metric_name": metric,
                "verbose_name": found["label"],
                "description": found["description"],
                "expression": found["sql"],
            }
            for metric, found in metrics.items()
        ],
        "columns": [
            {
                "column_name": column,
                "is_dttm": kind == "DATE" or kind.startswith("TIMESTAMP"),
                "is_active": True,
                "type": kind,
                "groupby": True,
                "filterable": True,
                "description": comment,
            }
            for column, kind, comment in table["columns"]
        ],
        "version": "1.0.0",
        "database_uuid": identity("database"),
    }


def semantic_metrics() -> dict[str, dict[str, Any]]:
    """Return the metrics of the semantic layer by table and name: label, description and SQL.

    Ratios of numbers from two tables are left out, since a dataset has one.
    """
    content = yaml.safe_load(METRICS_FILE.read_text("utf-8"))
    found: dict[str, dict[str, Any]] = {}
    for model in content["models"]:
        simple = {metric["name"]: aggregate(metric) for metric in model.get("metrics", [])}
        ratios = {
            metric["name"]: f"1.0 * {simple[metric['numerator']]} "
            f"/ nullif({simple[metric['denominator']]}, 0)"
            for metric in content["metrics"]
            if metric["numerator"] in simple and metric["denominator"] in simple
        }
        statements = simple | ratios
        for metric in [*model.get("metrics", []), *content["metrics"]]:
            if sql := statements.get(metric["name"]):
                found.setdefault(model["name"], {})[metric["name"]] = {
                    "label": metric["label"],
                    "description": metric["description"],
                    "sql": sql,
                }
    return found


def aggregate(metric: dict[str, Any]) -> str:
    """Return the SQL of a simple metric, in words that DuckDB and Postgres share."""
    expression = metric.get("expr", metric["name"])
    if metric["agg"] == "count_distinct":
        return f"count(distinct {expression})"
    if metric["agg"] == "percentile":
        return f"percentile_cont({metric['percentile']}) within group (order by {expression})"
    return f"{AGGREGATES[metric['agg']]}({expression})"


def check_chart(
    chart: dict[str, Any], tables: dict[str, dict[str, Any]], metrics: dict[str, dict[str, Any]]
) -> None:
    """Exit with one clear line when a chart names something that is not there."""
    place = f"{DASHBOARD_FILE.relative_to(PROJECT_DIR)}: chart {chart['title']!r}"
    if chart["table"] not in tables:
        fail(f"{place} reads {chart['table']}, which is not published", 1)
    columns = {name for name, *_ in tables[chart["table"]]["columns"]}
    used = [*chart.get("by", []), *chart.get("columns", [])]
    if missing := [name for name in used if name not in columns]:
        fail(f"{place} names {missing[0]}, which {chart['table']} does not have", 1)
    metric = chart.get("metric")
    if isinstance(metric, str) and metric not in metrics.get(chart["table"], {}):
        fail(f"{place} names the metric {metric}, which {chart['table']} does not have", 1)


def chart_metric(metric: str | dict[str, str]) -> str | dict[str, str | bool]:
    """Return a metric as Superset writes it: the name of a saved one, or SQL with a label."""
    if isinstance(metric, str):
        return metric
    return {
        "expressionType": "SQL",
        "sqlExpression": metric["sql"],
        "label": metric["label"],
        "hasCustomLabel": True,
        "optionName": metric["label"],
    }


def chart_file(chart: dict[str, Any], table: dict[str, Any]) -> dict[str, Any]:
    """Return one chart with the settings of its kind."""
    params: dict[str, Any] = {
        "viz_type": VIZ_TYPES[chart["kind"]],
        "time_range": "No filter",
        "adhoc_filters": [],
    }
    if chart["kind"] == "number":
        params |= {
            "metric": chart_metric(chart["metric"]),
            "y_axis_format": chart.get("format", ",d"),
            "header_font_size": 0.4,
        }
    elif chart["kind"] == "bars":
        params |= {
            "metrics": [chart_metric(chart["metric"])],
            "groupby": chart["by"],
            "x_axis": time_column(table),
            "time_grain_sqla": "P1D",
            "stack": "Stack",
            "row_limit": 10000,
            "truncateYAxis": False,
            "show_legend": True,
        }
    elif chart["kind"] == "table":
        params |= {
            "query_mode": "aggregate",
            "groupby": chart["by"],
            "metrics": [chart_metric(metric) for metric in chart["metrics"]],
            "order_desc": True,
            "timeseries_limit_metric": chart_metric(chart["metrics"][-1]),
            "row_limit": 1000,
        }
    else:
        order = json.dumps([chart["order_by"], not chart.get("descending", True)])
        params |= {
            "query_mode": "raw",
            "all_columns": chart["columns"],
            "order_by_cols": [order],
            "row_limit": chart["rows"],
        }
    return {
        "slice_name": chart["title"],
        "viz_type": VIZ_TYPES[chart["kind"]],
        "params": params,
        "cache_timeout": None,
        "uuid": identity("chart", chart["title"]),
        "version": "1.0.0",
        "dataset_uuid": identity("dataset", chart["table"]),
    }


def dashboard(board: dict[str, Any]) -> dict[str, Any]:
    """Return the dashboard: where its charts stand, and its filters."""
    position: dict[str, Any] = {
        "DASHBOARD_VERSION_KEY": "v2",
        "ROOT_ID": {"id": "ROOT_ID", "type": "ROOT", "children": ["GRID_ID"]},
        "GRID_ID": {"id": "GRID_ID", "type": "GRID", "children": [], "parents": ["ROOT_ID"]},
        "HEADER_ID": {"id": "HEADER_ID", "type": "HEADER", "meta": {"text": board["title"]}},
    }
    for number, row in enumerate(board["rows"]):
        row_name = f"ROW-{number}"
        position["GRID_ID"]["children"].append(row_name)
        position[row_name] = {
            "id": row_name,
            "type": "ROW",
            "children": [],
            "parents": ["ROOT_ID", "GRID_ID"],
            "meta": {"background": "BACKGROUND_TRANSPARENT"},
        }
        for chart in row:
            name = f"CHART-{identity('chart', chart['title'])}"
            position[row_name]["children"].append(name)
            position[name] = {
                "id": name,
                "type": "CHART",
                "children": [],
                "parents": ["ROOT_ID", "GRID_ID", row_name],
                "meta": {
                    "chartId": 0,
                    "uuid": identity("chart", chart["title"]),
                    "sliceName": chart["title"],
                    "width": chart["width"],
                    "height": ROW_HEIGHT[chart["kind"]],
                },
            }
    filters = [
        {
            "id": f"NATIVE_FILTER-{number}",
            "name": wanted["title"],
            "filterType": "filter_select",
            "type": "NATIVE_FILTER",
            "targets": [
                {
                    "datasetUuid": identity("dataset", wanted["table"]),
                    "column": {"name": wanted["column"]},
                }
            ],
            "defaultDataMask": {"extraFormData": {}, "filterState": {}, "ownState": {}},
            "controlValues": {"multiSelect": True, "enableEmptyFilter": False},
            "scope": {"rootPath": ["ROOT_ID"], "excluded": []},
            "cascadeParentIds": [],
        }
        for number, wanted in enumerate(board["filters"])
    ]
    return {
        "dashboard_title": board["title"],
        "slug": board["slug"],
        "uuid": identity("dashboard"),
        "position": position,
        "metadata": {"native_filter_configuration": filters, "color_scheme": "supersetColors"},
        "published": True,
        "version": "1.0.0",
    }


if __name__ == "__main__":
    raise SystemExit(main())
