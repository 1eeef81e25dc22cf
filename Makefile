# Everything starts here; needs only git, make and Python 3.11–3.13 with venv.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# The first of these that is there and new enough; set PYTHON to choose another.
PYTHON ?= $(shell for candidate in python3.11 python3.12 python3.13 python3 python; do \
	$$candidate -c 'import sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null \
	&& { echo $$candidate; break; }; done)

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# RudderStack payload files to load; empty: a generated sample.
EVENTS ?=
# Trace files of other tools, or folders of them, to import and load; FROM says who wrote them.
TRACES ?=
FROM ?= auto
# Where the dashboard listens; other addresses than this machine's let anybody look who can reach them.
PORT ?= 8501
HOST ?= 127.0.0.1

export DBT_PROFILES_DIR := $(CURDIR)
export DBT_SEND_ANONYMOUS_USAGE_STATS := false
export DO_NOT_TRACK := 1

# A metric of the semantic layer, what to group it by, and a condition.
NAME ?=
BY ?= metric_time__day
WHERE ?=

.PHONY: help setup build metrics metric page dashboard dashboard-static test test-incremental test-slow test-nightly test-postgres test-spark test-iceberg test-clickhouse test-engines check-dialects lint docs bench lock clean

help: ## one line per target
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

setup: $(READY) ## only prepare .venv from the lock file

$(READY): requirements.lock
	@test -n "$(PYTHON)" || { echo "error: no Python 3.11, 3.12 or 3.13 with venv found; install one or set PYTHON=/path/to/python" >&2; exit 2; }
	@# --clear follows a link and would empty what it leads to
	@test ! -L $(VENV) || { echo "error: $(VENV) is a link to another environment; remove it and run make again" >&2; exit 2; }
	@echo "preparing $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check "$$(grep -m1 '^uv==' requirements.lock)"
	@# without dependencies: the lock file is complete, and one optional dependency of dbt-core is left out on purpose
	@# compiled once here: where Python may not write what it compiled, every start of dbt would take a second longer
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --compile-bytecode --requirements requirements.lock
	@touch $(READY)

build: $(READY) ## load events (EVENTS="a.ndjson.gz b.ndjson") or traces (TRACES=~/.claude/projects), dbt build, quality checkpoint, publish, summary
	@$(BIN)/python scripts/check_seeds.py
	@$(BIN)/python scripts/prepare_events.py $(EVENTS) $(if $(TRACES),--traces $(TRACES) --from $(FROM))
	@echo "building the models and testing their rows, half a minute for a small warehouse"
	@# unit tests test the code and not the rows: they run in CI, and in every plain dbt build
	@$(BIN)/python scripts/build_models.py --exclude-resource-type unit_test
	@$(BIN)/python scripts/quality/run_checkpoint.py
	@$(BIN)/python scripts/publish_marts.py
	@$(BIN)/python scripts/summarize.py

metrics: $(READY) ## list the metrics of the semantic layer, with what each can be grouped by
	@$(BIN)/dbt parse --quiet && $(BIN)/mf list metrics

metric: $(READY) ## ask one metric: NAME=cost_per_run BY=metric_time__week [WHERE="{{ Dimension('run__workflow_name') }} = 'support'"]
	@test -n "$(NAME)" || { echo "error: say which metric, as in make metric NAME=cost_per_run BY=metric_time__week; make metrics lists them" >&2; exit 2; }
	@$(BIN)/dbt parse --quiet && $(BIN)/mf query --metrics "$(NAME)" --group-by "$(BY)" --order "$(BY)" $(if $(WHERE),--where "$(WHERE)")

page: $(READY) ## ask what a page of a dashboard shows: NAME=overview, cost, latency, failures, quality or usage
	@test -n "$(NAME)" || { echo "error: say which page, as in make page NAME=cost" >&2; exit 2; }
	@$(BIN)/dbt parse --quiet && $(BIN)/mf query --saved-query "$(NAME)"

dashboard: $(READY) ## serve the dashboard of the published marts on http://127.0.0.1:8501 (PORT=9000, HOST=0.0.0.0)
	@$(BIN)/python scripts/serve_dashboard.py --port $(PORT) --host $(HOST)

dashboard-static: $(READY) ## write the dashboard to target/dashboard_static, pages that open without network and server
	@$(BIN)/python scripts/write_dashboard.py

test: $(READY) ## everything CI runs
	@scripts/ci/test

# Files that test-incremental runs as a whole.
IN_STEPS := $(addprefix tests/python/test_,$(addsuffix .py,incremental incremental_real retry every_model_alone project_uses add_a_mart))

test-incremental: $(READY) ## builds in steps against one build: 200 random splits, 20 killed builds, each model alone, real traces by the hour
	@AGENT_ANALYTICS_EXAMPLES=200 AGENT_ANALYTICS_MOMENTS=20 AGENT_ANALYTICS_REAL_LOADS=0 \
		$(BIN)/python -m pytest $(IN_STEPS) -n 2 --dist loadgroup -q

test-slow: $(READY) ## what CI has no time for beside test-incremental: mutations, more data sets, the benchmark on a few events
	@$(BIN)/python -m pytest tests/python -m slow $(addprefix --ignore ,$(IN_STEPS)) -n 2 --dist loadgroup -q

test-nightly: test-incremental test-slow test-engines ## everything that CI has no time for

test-postgres: $(READY) ## build on a throw-away Postgres, compare with DuckDB
	@$(BIN)/python -m pytest tests/engines --engine postgres -q

test-spark: $(READY) ## the same on a throw-away Spark cluster: master, two workers, thrift server
	@scripts/ci/prepare_environment spark
	@$(BIN)/python -m pytest tests/engines --engine spark -q

test-iceberg: $(READY) ## the same on Spark 3.5 with Iceberg tables
	@scripts/ci/prepare_environment iceberg
	@$(BIN)/python -m pytest tests/engines --engine iceberg -q

test-engines: test-postgres test-spark test-iceberg test-clickhouse check-dialects ## all engines, one after the other

test-clickhouse: $(READY) ## the same on ClickHouse's engine, in process
	@scripts/ci/prepare_environment clickhouse
	@$(BIN)/python -m pytest tests/engines --engine clickhouse -q

check-dialects: $(READY) ## parse the SQL compiled for Snowflake, BigQuery, Redshift, Databricks and the others
	@for environment in cloud databricks clickhouse; do scripts/ci/prepare_environment $$environment; done
	@$(BIN)/python scripts/ci/check_dialects.py

lint: $(READY) ## ruff, sqlfluff, the measures of the project's structure, its descriptions and conventions
	@scripts/ci/lint

docs: $(READY) ## the documentation site as one file, target/static_index.html
	@$(BIN)/dbt docs generate --static --quiet
	@echo "open target/static_index.html"

bench: $(READY) ## time full and incremental builds on several histories, beside one hand-written DuckDB script
	@$(BIN)/python scripts/benchmark/run_benchmark.py

lock: $(READY) ## renew requirements.lock from pyproject.toml
	@$(BIN)/uv pip compile --quiet --universal --no-header --no-annotate --upgrade pyproject.toml --output-file requirements.lock

clean: ## remove the environment, build results and the warehouse
	@rm -rf $(VENV) $(VENV)-* target logs warehouse/*
