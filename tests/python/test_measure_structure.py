"""What measure_structure finds in small projects, each of which breaks one rule."""

import json

import pytest

from scripts.ci import measure_structure
from scripts.ci.equal_code import equal_pairs
from scripts.ci.measure_structure import (
    CONFIGURATION,
    MEASURES,
    Configuration,
    hidden_edges,
    measure,
    read_statements,
)
from scripts.ci.project_rules import RULES, Project

GENEROUS = dict.fromkeys(MEASURES, 1_000_000)
CONFIGURED = {"targets": GENEROUS, "longest_way_to": "fct_orders", "exceptions": {}}
FOLDERS = {
    "stg": "staging/shop",
    "base": "staging/shop/base",
    "int": "intermediate",
    "fct": "marts/core",
    "mart": "marts/cost",
    "audit": "audit",
}


class Shop:
    """A manifest in which nothing is wrong until a test says what is."""

    def __init__(self):
        self.content = {
            "metadata": {"project_name": "shop"},
            "nodes": {},
            "sources": {},
            "macros": {},
        }

    def source(self, name="orders", **changes):
        """Add a source of the schema raw and return its id."""
        key = f"source.shop.{changes.get('source_name', 'shop')}.{name}"
        self.content["sources"][key] = {
            "resource_type": "source",
            "package_name": "shop",
            "name": name,
            "source_name": "shop",
            "source_description": "What the shop sends.",
            "description": "Orders as they were sent.",
            "database": "warehouse",
            "schema": "raw",
            "identifier": name,
            "columns": {},
            "original_file_path": "models/staging/shop/_shop__sources.yml",
        } | changes
        return key

    def model(self, name, *parents, config=None, key="id", columns=("id",), **changes):
        """Add a model with a key test on the column `key` and return its id."""
        unique_id = f"model.shop.{name}"
        folder = FOLDERS.get(name.split("_")[0], "elsewhere")
        self.content["nodes"][unique_id] = {
            "resource_type": "model",
            "package_name": "shop",
            "name": name,
            "alias": name,
            "schema": "analytics",
            "description": "One row per order.",
            "columns": {
                column: {"name": column, "description": "The order's.", "constraints": []}
                for column in columns
            },
            "config": {"materialized": "table", "meta": {}} | (config or {}),
            "contract": {"enforced": True},
            "raw_code": "select * from {{ ref('x') }}",
            "original_file_path": f"models/{folder}/{name}.sql",
            "patch_path": f"shop://models/{folder}/_models.yml",
            "depends_on": {"nodes": list(parents)},
        } | changes
        for test in ("unique", "not_null") if key else ():
            self.test(unique_id, test, key)
        return unique_id

    def test(self, model, name, column=None):
        """Add a generic test of a model."""
        self.content["nodes"][f"test.shop.{name}_{model}_{column}"] = {
            "resource_type": "test",
            "package_name": "shop",
            "attached_node": model,
            "column_name": column,
            "test_metadata": {"name": name},
        }

    def macro(self, name, code, description="Does it.", arguments=(), package="shop"):
        """Add a macro with its YAML."""
        self.content["macros"][f"macro.{package}.{name}"] = {
            "name": name,
            "package_name": package,
            "macro_sql": code,
            "description": description,
            "arguments": [
                {"name": argument, "type": kind, "description": text}
                for argument, kind, text in arguments
            ],
            "original_file_path": "macros/all.sql",
        }

    def chain(self):
        """Add source > staging > intermediate > fact and return the ids of all four."""
        orders = self.source()
        staged = self.model("stg_orders", orders, config={"materialized": "view"})
        known = self.model("int_orders", staged)
        return orders, staged, known, self.model("fct_orders", known)

    @property
    def project(self):
        return Project(self.content)

    def broken(self):
        """Return the subjects of violations by rule, rules that nothing breaks left out."""
        found = {rule.__name__: [v.subject for v in rule(self.project)] for rule in RULES}
        return {rule: subjects for rule, subjects in found.items() if subjects}


@pytest.fixture
def shop():
    return Shop()


def test_nothing_is_wrong_with_a_chain(shop):
    shop.chain()
    assert shop.broken() == {}


def test_paths_are_counted_between_all_nodes(shop):
    """A diamond: four nodes alone, four edges, and two ways from end to end."""
    orders = shop.source()
    left, right = shop.model("stg_left", orders), shop.model("stg_right", orders)
    shop.model("fct_orders", left, right)
    assert shop.project.path_count() == 4 + 4 + 2


def test_longest_way_counts_edges_from_sources_only(shop):
    _, staged, known, fact = shop.chain()
    shop.content["nodes"][fact]["depends_on"]["nodes"].append(staged)
    assert shop.project.longest_way_to("fct_orders") == 3
    # what begins at a model without parents comes from no raw event
    before = shop.model("int_before")
    for number in range(5):
        before = shop.model(f"int_{number}", before)
    shop.content["nodes"][known]["depends_on"]["nodes"].append(before)
    assert shop.project.longest_way_to("fct_orders") == 3


def test_build_state_and_its_edges_are_counted(shop):
    _, _, known, _ = shop.chain()
    shop.model("int_builds", known, config={"meta": {"build_state": True}})
    shop.content["nodes"]["model.shop.fct_orders"]["depends_on"]["nodes"].append(
        "model.shop.int_builds"
    )
    values = {row.name: row.value for row in measured(shop).measures}
    assert values["models with only build state (meta: build_state)"] == 1
    assert values["edges of these models"] == 2


def measured(shop, exceptions=None, statements=(), targets=GENEROUS):
    configuration = Configuration(targets, "fct_orders", exceptions or {})
    return measure(shop.project, configuration, statements)


@pytest.mark.parametrize("name", ["models", "paths", "longest_way"])
def test_a_target_that_is_passed_by_one_is_broken(shop, name):
    shop.chain()
    value = {"models": 3, "paths": 10, "longest_way": 3}[name]
    assert measured(shop, targets=GENEROUS | {name: value}).is_met
    assert not measured(shop, targets=GENEROUS | {name: value - 1}).is_met


def edges(shop, *statements):
    return [found.subject for found in hidden_edges(shop.project, statements)]


@pytest.mark.parametrize(
    "relation",
    ['"db"."analytics"."fct_orders"', "analytics.fct_orders", "`analytics`.`fct_orders`"],
)
def test_reading_what_is_built_from_it_is_a_hidden_edge(shop, relation):
    _, staged, known, _ = shop.chain()
    statement = f"select max(id) from {relation} where id in (select id from analytics.stg_orders)"
    assert edges(shop, (known, statement)) == ["fct_orders > int_orders"]
    assert edges(shop, (staged, "select * from raw.orders")) == []


def test_own_table_and_look_alikes_are_no_hidden_edge(shop):
    _, _, known, _ = shop.chain()
    for text in (
        'insert into "db"."analytics"."int_orders" select 1',
        'create table "db"."analytics"."fct_orders__dbt_tmp" as select 1',
        'select * from "analytics"."fct_orders"."column"',
        "select fct_orders.id",
    ):
        assert edges(shop, (known, text)) == [], text


def test_an_ephemeral_parent_hands_on_what_it_reads(shop):
    orders = shop.source()
    base = shop.model("base_orders", orders, config={"materialized": "ephemeral"})
    staged = shop.model("stg_orders", base)
    late = shop.model("int_orders", staged)
    assert edges(shop, (staged, "select * from raw.orders")) == []
    # what a table stands for is not handed on
    assert edges(shop, (late, "select * from raw.orders")) == ["shop.orders > int_orders"]


def test_statements_are_read_from_the_log_with_their_models(tmp_path):
    log = tmp_path / "dbt.log"
    events = [
        {"info": {"name": "SQLQuery"}, "data": {"sql": "select 1", "node_info": {}}},
        {
            "info": {"name": "SQLQuery"},
            "data": {"sql": "select 2", "node_info": {"unique_id": "model.shop.a"}},
        },
        {"info": {"name": "Note"}, "data": {"node_info": {"unique_id": "model.shop.a"}}},
    ]
    log.write_text("".join(json.dumps(event) + "\n" for event in events))
    assert read_statements(log) == [("model.shop.a", "select 2")]


def no_key(shop):
    shop.model("int_no_key", shop.chain()[1], key=None)


def half_a_key(shop):
    shop.test(shop.model("int_half", shop.chain()[1], key=None), "unique", "id")


def halves_of_two_keys(shop):
    model = shop.model("int_halves", shop.chain()[1], key=None, columns=("a", "b"))
    shop.test(model, "unique", "a")
    shop.test(model, "not_null", "b")


def nine_parents(shop):
    _, staged, *_ = shop.chain()
    parents = [shop.model(f"int_{number}", staged) for number in range(9)]
    # a second reader of each, so that they are no detours
    shop.model("int_first", *parents[:5])
    shop.model("int_second", *parents[5:])
    shop.model("fct_many", *parents)


def detour(shop):
    _, staged, _, fact = shop.chain()
    shop.content["nodes"][fact]["depends_on"]["nodes"].append(staged)


def staging_on_staging(shop):
    _, staged, *_ = shop.chain()
    shop.model("stg_more", staged)


def six_views(shop):
    _, before, *_ = shop.chain()
    for number in range(5):
        before = shop.model(f"int_{number}", before, config={"materialized": "view"})


def silent_column(shop):
    model = shop.chain()[2]
    shop.content["nodes"][model]["columns"]["id"]["description"] = ""


def long_comment(shop):
    for name, length, persisted in (("a", 257, True), ("b", 256, True), ("c", 257, False)):
        config = {"persist_docs": {"columns": persisted}}
        model = shop.model(f"int_{name}", shop.chain()[1], config=config)
        shop.content["nodes"][model]["columns"]["id"]["description"] = length * "x"


def silent_macro(shop):
    shop.macro("half", "{% macro half(a) %}{% endmacro %}", description="")


def forgotten_argument(shop):
    code = "{%- macro half(a, b=f(1, 2), c=none) -%}{% endmacro %}"
    shop.macro("half", code, arguments=[("a", "string", "It."), ("b", "string", "It.")])


def invented_argument(shop):
    code = "{% macro half() %}{% endmacro %}"
    shop.macro("half", code, arguments=[("a", "string", "It.")])


def untyped_argument(shop):
    shop.macro("half", "{% macro half(a) %}{% endmacro %}", arguments=[("a", None, "It.")])


def source_elsewhere(shop):
    shop.chain()
    path = "models/staging/_sources.yml"
    for source in shop.content["sources"].values():
        source["original_file_path"] = path


def folders_both_ways(shop):
    _, staged, *_ = shop.chain()

    def in_folder(name, folder, *parents):
        patch = f"shop://models/intermediate/{folder}/_models.yml"
        path = f"models/intermediate/{folder}/{name}.sql"
        return shop.model(name, *parents, original_file_path=path, patch_path=patch)

    lines = in_folder("int_lines", "lines", staged)
    customers = in_folder("int_customers", "customers", lines)
    in_folder("int_totals", "lines", customers)
    in_folder("int_more", "lines", lines)


def no_counts(shop):
    counts = ("id", "n_all", "n_used", "n_unfinished")
    shop.model("mart_orders", shop.chain()[2], columns=counts)


@pytest.mark.parametrize(
    ("breaking", "expected"),
    [
        (no_key, {"missing_primary_key_tests": ["int_no_key"]}),
        (half_a_key, {"missing_primary_key_tests": ["int_half"]}),
        (halves_of_two_keys, {"missing_primary_key_tests": ["int_halves"]}),
        (nine_parents, {"too_many_joins": ["fct_many"]}),
        (
            detour,
            {"rejoining_of_upstream_concepts": ["stg_orders > int_orders > fct_orders"]},
        ),
        (staging_on_staging, {"staging_dependent_on_staging": ["stg_more"]}),
        (six_views, {"chained_views": ["int_4"]}),
        (silent_column, {"undocumented_columns": ["int_orders.id"]}),
        (long_comment, {"long_comments": ["int_a.id"]}),
        (silent_macro, {"undocumented_macros": ["half"]}),
        (forgotten_argument, {"undocumented_macros": ["half"]}),
        (invented_argument, {"undocumented_macros": ["half"]}),
        (untyped_argument, {"undocumented_macros": ["half"]}),
        (source_elsewhere, {"source_directories": ["shop.orders"]}),
        (
            folders_both_ways,
            {"folders_in_a_circle": ["models/intermediate/customers = models/intermediate/lines"]},
        ),
        (no_counts, {"rollups_without_counts": ["mart_orders"]}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)  # fmt: skip
def test_each_rule_can_be_broken(shop, breaking, expected):
    breaking(shop)
    assert shop.broken() == expected


def test_a_combined_key_and_a_constraint_are_keys(shop):
    _, staged, *_ = shop.chain()
    shop.test(shop.model("int_pairs", staged, key=None), "unique_combination")
    model = shop.model("int_keyed", staged, key=None)
    shop.content["nodes"][model]["columns"]["id"]["constraints"] = [{"type": "primary_key"}]
    assert shop.broken() == {}


def test_a_second_reader_makes_a_detour_a_concept(shop):
    detour(shop)
    shop.model("int_more", "model.shop.int_orders")
    assert shop.broken() == {}


def test_variants_helpers_and_foreign_macros_need_no_yaml(shop):
    shop.chain()
    shop.macro("half", "{% macro half() %}{% endmacro %}")
    for name in ("default__half", "_helper", "spark__of_dbt"):
        shop.macro(name, f"{{% macro {name}(a) %}}{{% endmacro %}}", description="")
    code = "{% macro of_dbt(a) %}{% endmacro %}"
    shop.macro("of_dbt", code, description="", package="dbt")
    shop.macro("test_own", "{% test own(model) %}{% endtest %}", description="")
    assert shop.broken() == {}


def test_an_exception_needs_its_violation(shop):
    no_key(shop)
    allowed = {"missing_primary_key_tests": {"int_no*": "It holds deliveries."}}
    assert not measured(shop).is_met
    assert measured(shop, allowed).is_met
    (rule,) = allowed
    stale = {rule: allowed[rule] | {"int_gone": "It was there."}}
    report = measured(shop, stale)
    assert not report.is_met
    assert report.stale == [(rule, "int_gone")]
    assert "the exception for int_gone is not needed" in str(report)


def test_exceptions_for_hidden_edges_go_by_relation(shop):
    _, _, known, _ = shop.chain()
    statements = [(known, "select * from analytics.fct_orders")]
    assert not measured(shop, statements=statements).is_met
    allowed = {"hidden_edges": {"fct_orders > *": "The one documented place."}}
    assert measured(shop, allowed, statements).is_met
    # without statements nobody knows, so nothing is said against it
    report = measured(shop, allowed, statements=None)
    assert report.is_met
    assert "not measured" in str(report)


LINES = [f"sum(amount_{letter}) as total_{letter}" for letter in "abcdefgh"]


def code(*lines):
    return "\n".join(lines) + "\n"


def test_six_equal_lines_in_two_files_are_a_pair():
    first = code("select", *LINES[:6], "from a_place")
    second = code("with x as (", "-- a comment", *LINES[:3], "", *LINES[3:6], ")", "limit 3")
    (pair,) = equal_pairs({"models/m/a.sql": first, "models/m/b.sql": second})
    assert (pair.lines, pair.first, pair.second, pair.is_exact) == (6, 2, 3, True)
    assert pair.are_siblings


def test_five_equal_lines_are_none():
    assert equal_pairs({"a.sql": code(*LINES[:5], "x"), "b.sql": code(*LINES[:5], "y")}) == []


def test_other_names_leave_the_shape():
    lines = ["select", "a + 1 as b,", "max(c) as d", "from e", "where f = 'g'", "group by h"]
    other = [line.replace("a", "z").replace("m", "z") for line in ("e", "g")]
    renamed = [
        *("select", "zz + 2 as yy,", "max(xx) as ww", "from vv", "where uu = 'tt'", "group by ss"),
        *other,
    ]
    (pair,) = equal_pairs({"models/a.sql": code(*lines), "models/b.sql": code(*renamed)})
    assert not pair.is_exact
    changed = [*renamed[:3], "left join vv", *renamed[4:]]
    assert equal_pairs({"models/a.sql": code(*lines), "models/b.sql": code(*changed)}) == []


def test_a_list_of_names_is_no_code():
    first = code(*(f"column_{letter}," for letter in "abcdefgh"))
    second = code(*(f"field_{letter}," for letter in "abcdefgh"))
    assert equal_pairs({"a.sql": first, "b.sql": second}) == []


@pytest.mark.parametrize("names", ["abcd", "abcdefgh"])
def test_a_list_with_its_head_and_foot_is_no_code(names):
    columns = [f"column_{letter}," for letter in names]
    fields = [f"field_{letter}," for letter in names]
    first = code("select", *columns, "column_z", "from facts")
    second = code("select", *fields, "field_z", "from marts")
    assert equal_pairs({"a.sql": first, "b.sql": second}) == []
    # to the letter it is a pair
    assert len(equal_pairs({"a.sql": first, "b.sql": first})) == 1


def test_what_stands_everywhere_is_no_pair():
    files = {f"{number}.sql": code(*LINES[:6], f"x{number}") for number in range(9)}
    assert len(equal_pairs(dict(list(files.items())[:8]))) == 8 * 7 / 2
    assert equal_pairs(files) == []


def test_code_twice_in_one_file_is_a_pair():
    (pair,) = equal_pairs({"a.sql": code(*LINES, "union all", *LINES)})
    assert (pair.first, pair.second, pair.lines) == (1, 10, 8)
    assert not pair.are_siblings


def test_siblings_with_equal_code_break_a_rule(shop):
    shop.chain()
    text = code(*LINES)
    files = {"models/intermediate/a.sql": text, "models/intermediate/b.sql": text}
    project = Project(shop.content, equal_pairs(files))
    report = measure(project, Configuration(GENEROUS, "fct_orders"), [])
    assert [rule for rule, _ in report.violations] == ["equal_code_of_siblings"]
    elsewhere = {"models/intermediate/a.sql": text, "models/marts/b.sql": text}
    project = Project(shop.content, equal_pairs(elsewhere))
    assert measure(project, Configuration(GENEROUS, "fct_orders"), []).is_met


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"exceptions": {"no_such_rule": {"a": "b"}}}, "no_such_rule, which is no rule"),
        ({"exceptions": {"too_many_joins": {"a": ""}}}, "the exception for a needs a reason"),
        ({"targets": GENEROUS | {"models": "many"}}, "targets.models should be a whole number"),
        ({"targets": GENEROUS | {"beauty": 1}}, "targets.beauty is no measure"),
        ({"targets": None}, "not a configuration of measure_structure.py"),
    ],
)
def test_a_wrong_configuration_is_one_line(tmp_path, capsys, change, complaint):
    file = tmp_path / "structure.yml"
    file.write_text(json.dumps(CONFIGURED | change))
    with pytest.raises(SystemExit) as stopped:
        Configuration.read(file)
    assert stopped.value.code == 2
    message = capsys.readouterr().err
    assert complaint in message
    assert message.count("\n") == 1


def test_the_configuration_of_the_project_is_one():
    assert Configuration.read(CONFIGURATION).longest_way_to == "fct_agent_runs"


@pytest.mark.parametrize("is_broken", [False, True])
def test_the_command_prints_a_table_and_fails_when_a_target_is_broken(
    shop, tmp_path, capsys, monkeypatch, is_broken
):
    _, _, known, _ = shop.chain()
    (tmp_path / "target").mkdir()
    (tmp_path / "logs").mkdir()
    (tmp_path / "target/manifest.json").write_text(json.dumps(shop.content))
    read = "fct_orders" if is_broken else "stg_orders"
    event = {
        "info": {"name": "SQLQuery"},
        "data": {"sql": f"from analytics.{read}", "node_info": {"unique_id": known}},
    }
    (tmp_path / "logs/dbt.log").write_text(json.dumps(event) + "\n")
    file = tmp_path / "structure.yml"
    file.write_text(json.dumps(CONFIGURED))
    monkeypatch.setattr(measure_structure, "code_files", lambda project: {})
    arguments = ["--built", str(tmp_path), "--configuration", str(file)]
    assert measure_structure.main(arguments) == int(is_broken)
    printed = capsys.readouterr().out
    assert ("BROKEN" in printed) == is_broken
    assert ("int_orders reads fct_orders, which is built from it" in printed) == is_broken


def test_a_folder_without_a_build_is_one_line(tmp_path, capsys):
    with pytest.raises(SystemExit):
        measure_structure.main(["--built", str(tmp_path)])
    assert "--built names the folder of a build" in capsys.readouterr().err
