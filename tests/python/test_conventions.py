"""Each convention of dbt-bouncer.yml is broken once, and dbt-bouncer sees that and no more."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from scripts.warehouse import PROJECT_DIR
from tests.python.warehouses import Warehouse, errors_of

CONFIGURATION = PROJECT_DIR / "dbt-bouncer.yml"


# Columns of one table, each as its name says and each breaking one of the rules for columns.
RIGHT = {
    "step": "VARCHAR",
    "is_failed": "BOOLEAN",
    "started_at": "TIMESTAMP",
    "step_date": "DATE",
    "cost_usd": "DECIMAL(28,9)",
    "input_tokens": "BIGINT",
    "cost_share": "DOUBLE",
    "input_usd_per_million_tokens": "DECIMAL(28,9)",
}
WRONG = {
    "Step": "VARCHAR",
    "is_failed": "BIGINT",
    "started_at": "DATE",
    "step_date": "TIMESTAMP",
    "cost_usd": "DOUBLE",
    "input_tokens": "DOUBLE",
    "cost_share": "DECIMAL(28,9)",
}


def move(node, path):
    """Let a node lie in another file."""
    node["original_file_path"] = path
    node["path"] = path.removeprefix("models/")


def break_everything(manifest):
    """Break each convention once in a manifest; return the checks that must fail, by what breaks.

    A node that breaks several at once is not used.
    """
    model = {node["name"]: node for node in manifest["nodes"].values()}
    source = {node["name"]: node for node in manifest["sources"].values()}
    expected = {}

    def reads(reader, *read):
        node = model[reader]
        before = node["depends_on"]["nodes"]
        node["depends_on"]["nodes"] = [*before, *(other["unique_id"] for other in read)]
        manifest["parent_map"][node["unique_id"]] += [other["unique_id"] for other in read]
        for other in read:
            manifest["child_map"][other["unique_id"]].append(node["unique_id"])

    for name in (
        "stg_rudderstack__tracks", "int_prompts_classified", "dim_dates", "audit_unread_columns"
    ):  # fmt: skip
        model[name]["name"] = f"all_{name}"
        expected[name] = {"check_model_names"}
    move(model["dim_users"], "models/elsewhere/dim_users.sql")
    model["dim_users"]["patch_path"] = "agent_analytics://models/elsewhere/_core__models.yml"
    expected["dim_users"] = {"check_model_directories"}
    model["dim_tools"]["description"] = "Tools."
    expected["dim_tools"] = {"check_model_description_contains_regexp_pattern"}
    model["dim_agents"]["patch_path"] = "agent_analytics://models/marts/cost/_cost__models.yml"
    expected["dim_agents"] = {"check_model_documented_in_same_directory"}
    model["dim_models"]["contract"]["enforced"] = False
    expected["dim_models"] = {"check_model_has_contracts_enforced"}
    for key, unit_test in list(manifest["unit_tests"].items()):
        if unit_test["model"] == "mart_routes":
            del manifest["unit_tests"][key]
    expected["mart_routes"] = {"check_model_has_unit_tests"}
    model["mart_paths"]["config"]["materialized"] = "view"
    expected["orchestration_review"] = {"check_exposure_based_on_view"}
    model["int_events_daily"]["depends_on"]["nodes"] = []
    expected["int_events_daily"] = {"check_model_has_no_upstream_dependencies"}
    model["mart_quality"]["raw_code"] = "select * from analytics_marts.fct_agent_runs"
    expected["mart_quality"] = {"check_model_hard_coded_references"}
    # and with two readers each source breaks a convention of its own
    reads("stg_rudderstack__user_actions", source["ai_user_prompt_created"])
    expected["stg_rudderstack__user_actions"] = {"check_model_depends_on_multiple_sources"}
    expected["ai_user_prompt_created"] = {"check_source_used_by_only_one_model"}
    reads("mart_retry_rates", source["ai_agent_session_started"])
    expected["ai_agent_session_started"] = {"check_source_used_by_only_one_model"}
    expected["mart_retry_rates"] = {
        "check_lineage_source_cannot_be_used", "check_model_does_not_directly_join_to_source"
    }  # fmt: skip
    reads("stg_rudderstack__discards", model["dim_workflows"])
    expected["stg_rudderstack__discards"] = {
        "check_lineage_permitted_upstream_models", "check_model_does_not_directly_join_to_source"
    }  # fmt: skip
    reads("int_outcome_events", model["fct_agent_runs"])
    expected["int_outcome_events"] = {"check_lineage_permitted_upstream_models"}

    source["rudder_discards"]["description"] = ""
    expected["rudder_discards"] = {"check_source_description_populated"}
    source["tracks"]["source_description"] = ""
    expected["tracks"] = {"check_source_top_level_description_populated"}
    model["agent_aliases"]["description"] = ""
    expected["agent_aliases"] = {"check_seed_description_populated"}
    model["status_words"]["name"] = "StatusWords"
    expected["status_words"] = {"check_seed_names"}
    exposure = {item["name"]: item for item in manifest["exposures"].values()}
    exposure["cost_review"]["description"] = ""
    expected["cost_review"] = {"check_exposure_description_populated"}
    exposure["trust_review"]["depends_on"]["nodes"] = []
    expected["trust_review"] = {"check_exposure_based_on_model"}
    twin = source["ai_user_action"] | {"name": "twin", "unique_id": "source.agent_analytics.twin"}
    manifest["sources"][twin["unique_id"]] = twin
    expected["twin"] = {"check_source_not_orphaned", "check_duplicate_sources"}
    expected["ai_user_action"] = {"check_duplicate_sources"}
    return expected


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Folder with target/manifest.json of the project."""
    warehouse = Warehouse(tmp_path_factory.mktemp("conventions"), keeps_artifacts=True)
    result = warehouse.dbt("parse")
    assert result.success, errors_of(result)
    return warehouse.folder


def failed_checks(folder, manifest, columns):
    """Return the ids of checks that fail, by the node; `columns`: type by name, of one model."""
    target = folder / "broken" / "target"
    target.mkdir(parents=True, exist_ok=True)
    (target / "manifest.json").write_text(json.dumps(manifest))
    key = "model.agent_analytics.fct_agent_steps"
    catalog = {
        "metadata": {"dbt_schema_version": "https://schemas.getdbt.com/dbt/catalog/v1.json"},
        "nodes": {
            key: {
                "metadata": {"type": "BASE TABLE", "schema": "marts", "name": "fct_agent_steps"},
                "columns": {
                    name: {"type": kind, "index": index, "name": name}
                    for index, (name, kind) in enumerate(columns.items(), start=1)
                },
                "stats": {},
                "unique_id": key,
            }
        },
        "sources": {},
    }
    (target / "catalog.json").write_text(json.dumps(catalog))
    found = target / "found.json"
    command = [Path(sys.executable).with_name("dbt-bouncer"), "run", "--config-file", CONFIGURATION]
    completed = subprocess.run(
        [*command, "--output-format", "json", "--output-file", found],
        env=os.environ | {"DBT_PROJECT_DIR": str(target.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.exists(), completed.stdout + completed.stderr
    failed = {}
    for row in json.loads(found.read_text()):
        if row["outcome"] != "success":
            subject = row["unique_id"].rpartition(".")[2]
            failed.setdefault(subject, set()).add(row["check_run_id"].rpartition(":")[0])
    assert bool(failed) == bool(completed.returncode)
    return failed


def test_every_convention_of_the_graph_can_be_broken(folder):
    manifest = json.loads((folder / "target/manifest.json").read_text())
    assert failed_checks(folder, manifest, RIGHT) == {}
    expected = break_everything(manifest)
    failed = failed_checks(folder, manifest, WRONG)
    columns = failed.pop("fct_agent_steps")
    rules = yaml.safe_load(CONFIGURATION.read_text())["catalog_checks"]
    # each of the rules for columns fails, whose number is a part of the id
    assert len(columns) == len(rules)
    names = {node: {check.partition(":")[0] for check in checks} for node, checks in failed.items()}
    assert names == expected
