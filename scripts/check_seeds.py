"""Check the seeds people edit before dbt loads them, so that a bad row never reaches the warehouse.

Prints one line per problem (`file:line: column: what is wrong; how to mend it`) and exits with 1.
What SQL can say is a dbt data test beside the seeds as well; this script adds what SQL cannot say
in one line, and says it before anything is changed.
"""

from __future__ import annotations

import argparse
import csv
import io
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import duckdb

from scripts.warehouse import PROJECT_DIR

# The seed columns are numeric(28, 9), integer and date; products with tokens have to fit, too.
MAX_DECIMALS = 9
MAX_WHOLE_DIGITS = 12
MAX_PRICE = 1_000_000
MAX_MULTIPLIER = 1_000
MAX_INTEGER = 2_147_483_647
# More than a year is no window after a run.
MAX_WINDOW_DAYS = 366
# What every engine can count with, in nanoseconds also.
FIRST_DATE, LAST_DATE = date(1970, 1, 1), date(2261, 12, 31)
# From this priority on a failure rule is a fall-back.
FALL_BACK_PRIORITY = 90
# int_status_words reads so many words of one rule.
MAX_STATUS_WORDS = 100


@dataclass(frozen=True)
class Problem:
    """One thing to mend: where it is, what is wrong and what to do."""

    file: Path
    line: int
    column: str
    message: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}"
        return (
            f"{where}: {self.column}: {self.message}" if self.column else f"{where}: {self.message}"
        )


@dataclass(frozen=True)
class Row:
    """One row of a seed with the line it ends on."""

    file: Path
    line: int
    values: dict[str, str]

    def __getitem__(self, column: str) -> str:
        return self.values[column]

    def problem(self, column: str, message: str) -> Problem:
        """Return a problem of this row."""
        return Problem(self.file, self.line, column, message)


Check = Callable[[str], str | None]


def required(check: Check | None = None) -> Check:
    """Return a check that refuses an empty value and passes others to `check`."""

    def run(value: str) -> str | None:
        if value == "":
            return "is empty; fill it in"
        return check(value) if check else None

    return run


def optional(check: Check | None = None) -> Check:
    """Return a check that accepts an empty value and passes others to `check`."""

    def run(value: str) -> str | None:
        return check(value) if check and value != "" else None

    return run


def one_of(*values: str) -> Check:
    """Return a check for a closed list of values."""

    def run(value: str) -> str | None:
        return (
            None if value in values else f"{value!r} is not known; use one of {', '.join(values)}"
        )

    return run


def lower_case(value: str) -> str | None:
    """Refuse capitals and spaces around: models compare lower-cased, trimmed text."""
    if value != value.strip():
        return f"{value!r} has spaces around it; remove them"
    return None if value == value.lower() else f"{value!r} has capitals; write {value.lower()!r}"


def status_word(value: str) -> str | None:
    """Refuse what a sent word, brought to its form, can never be equal to."""
    wanted = re.sub("[ -]", "_", " ".join(value.split())).lower()
    return None if value == wanted else f"{value!r} equals no word; write {wanted!r}"


def iso_date(value: str) -> str | None:
    """Refuse anything but a calendar day of our times written as YYYY-MM-DD."""
    try:
        day = date.fromisoformat(value)
    except ValueError:
        day = None
    if day is None or not re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        return f"{value!r} is not a date; write it as YYYY-MM-DD, for example 2026-01-31"
    if not FIRST_DATE <= day <= LAST_DATE:
        return (
            f"{value!r} must lie from {FIRST_DATE} to {LAST_DATE}; leave valid_to empty where a "
            "price still holds"
        )
    return None


def number(value: str) -> str | None:
    """Refuse what numeric(28, 9) cannot hold exactly."""
    try:
        parsed = Decimal(value)
    except InvalidOperation:
        return f"{value!r} is not a number; write digits with a point, for example 1.25"
    if not re.fullmatch("-?[0-9]+([.][0-9]+)?", value):
        return f"{value!r} is not a plain number; write {format(parsed, 'f')!r}"
    whole, _, decimals = value.lstrip("-").partition(".")
    if len(decimals) > MAX_DECIMALS or len(whole) > MAX_WHOLE_DIGITS:
        return (
            f"{value!r} is too long; at most {MAX_WHOLE_DIGITS} digits before the point and "
            f"{MAX_DECIMALS} decimals are kept"
        )
    return None


def price(value: str) -> str | None:
    """Refuse numbers below zero and those that no price of a million tokens can be."""
    if re.fullmatch("[0-9]+([.][0-9]+)?", value) and Decimal(value) > MAX_PRICE:
        return (
            f"{value} is more than {MAX_PRICE}; prices are in US dollars per million tokens, "
            "correct the unit"
        )
    return number(value) or (
        f"{value} is negative; a price cannot be" if Decimal(value) < 0 else None
    )


def amount(value: str) -> str | None:
    """Refuse numbers below zero."""
    return number(value) or (
        f"{value} is negative; an amount cannot be" if Decimal(value) < 0 else None
    )


def multiplier(value: str) -> str | None:
    """Refuse zero, numbers below, and those that are no multiplier of a price."""
    message = number(value)
    if message is None and Decimal(value) <= 0:
        message = f"{value} must be greater than 0"
    if message is None and Decimal(value) > MAX_MULTIPLIER:
        message = f"{value} is more than {MAX_MULTIPLIER}; 0.5 means half the price, correct it"
    return message


def share(value: str) -> str | None:
    """Refuse numbers outside 0 to 1."""
    return number(value) or (None if 0 <= Decimal(value) <= 1 else f"{value} must be from 0 to 1")


def whole_number(value: str) -> str | None:
    """Refuse anything but a whole number above zero that an integer column holds."""
    if re.fullmatch("[0-9]{1,18}", value) and 0 < int(value) <= MAX_INTEGER:
        return None
    return f"{value!r} must be a whole number from 1 to {MAX_INTEGER}"


SEEDS: dict[str, dict[str, Check]] = {
    "pricing/model_pricing.csv": {
        "provider": required(lower_case),
        "canonical_model": required(lower_case),
        "valid_from": required(iso_date),
        "valid_to": optional(iso_date),
        "input_usd_per_million_tokens": required(price),
        "output_usd_per_million_tokens": optional(price),
        "cache_read_usd_per_million_tokens": optional(price),
        "cache_write_usd_per_million_tokens": optional(price),
        "cache_write_1h_usd_per_million_tokens": optional(price),
        "long_context_threshold_tokens": optional(whole_number),
        "long_context_input_usd_per_million_tokens": optional(price),
        "long_context_output_usd_per_million_tokens": optional(price),
        "long_context_cache_read_usd_per_million_tokens": optional(price),
        "long_context_cache_write_usd_per_million_tokens": optional(price),
        "long_context_cache_write_1h_usd_per_million_tokens": optional(price),
        "batch_multiplier": optional(multiplier),
        "priority_multiplier": optional(multiplier),
        "source": required(),
    },
    "pricing/model_aliases.csv": {
        "alias": required(lower_case),
        "match_type": required(one_of("prefix", "suffix", "exact", "family", "pattern")),
        "canonical_model": optional(lower_case),
    },
    "pricing/provider_token_conventions.csv": {
        "provider": optional(lower_case),
        "sender": optional(),
        "prompt_tokens_include_cache_read": required(one_of("true", "false")),
        "prompt_tokens_include_cache_write": required(one_of("true", "false")),
        "reasoning_tokens_counted_apart": required(one_of("true", "false")),
        "note": optional(),
    },
    "pricing/cost_conventions.csv": {
        "sender": required(),
        "session_cost_includes_children": required(one_of("true", "false")),
    },
    "pricing/service_tiers.csv": {
        "word": required(status_word),
        "tier": required(one_of("standard", "batch", "flex", "priority")),
    },
    "pricing/tool_rate_card.csv": {
        "tool_name": required(),
        "usd_per_call": optional(amount),
        "usd_per_second": optional(amount),
        "valid_from": required(iso_date),
        "valid_to": optional(iso_date),
    },
    "pricing/model_limits.csv": {
        "canonical_model": required(lower_case),
        "context_window_tokens": required(whole_number),
        "listed_on": required(iso_date),
        "source": required(),
    },
    "pricing/right_sizing_candidates.csv": {
        "current_model": required(lower_case),
        "candidate_model": required(lower_case),
    },
    "pricing/plan_prices.csv": {
        "plan_name": required(),
        "monthly_price_usd": required(amount),
        "valid_from": required(iso_date),
        "valid_to": optional(iso_date),
        "is_default": required(one_of("true", "false")),
    },
    "pricing/agent_budgets.csv": {
        "agent_name": required(),
        "monthly_budget_usd": required(amount),
        "valid_from": required(iso_date),
        "valid_to": optional(iso_date),
    },
    "taxonomy/failure_mode_rules.csv": {
        "priority": required(whole_number),
        "rule_id": required(lower_case),
        "failure_category": required(
            one_of(
                "tool_error",
                "model_error",
                "input_validation",
                "timeout",
                "cancelled",
                "unclassified",
            )
        ),
        "failure_group": required(lower_case),
        "failure_mode": required(lower_case),
        "severity": required(one_of("hard", "soft", "cancelled")),
        "retryable": required(one_of("yes", "no", "after_fix")),
        "step_scope": required(one_of("any", "llm_call", "tool_call", "session")),
        "match_field": required(
            one_of(
                "status",
                "error_type",
                "http_status",
                "finish_reason",
                "error_message",
                "response_text",
            )
        ),
        "match_type": required(one_of("in", "regex", "contains")),
        "pattern": required(lower_case),
        "is_billed": required(one_of("true", "false")),
    },
    "taxonomy/failure_mode_advice.csv": {
        "failure_mode": required(lower_case),
        "likely_owner": required(lower_case),
        "suggested_fix": required(),
    },
    "taxonomy/status_words.csv": {
        "word": required(status_word),
        "status": required(
            one_of("success", "error", "timeout", "cancelled", "partial_success", "in_progress")
        ),
    },
    "taxonomy/agent_aliases.csv": {
        "agent_name": required(),
        "canonical_agent_name": required(),
    },
    "taxonomy/request_rules.csv": {
        "priority": required(whole_number),
        "rule_id": required(lower_case),
        "match_field": required(
            one_of("workflow_name", "agent_name", "input_method", "prompt_text")
        ),
        "match_type": required(one_of("in", "regex", "contains")),
        "pattern": required(lower_case),
        "request_category": required(lower_case),
    },
    "taxonomy/feedback_scales.csv": {
        "feedback_type": required(lower_case),
        "value_label": optional(lower_case),
        "worst_value": optional(number),
        "best_value": optional(number),
        "rating": optional(share),
    },
    "taxonomy/agent_catalog.csv": {
        "agent_name": required(),
        "role": required(lower_case),
        "execution_mode": required(one_of("sync", "async", "*")),
        "latency_slo_ms": required(whole_number),
        "infrastructure_usd_per_hour": optional(amount),
        "description": optional(),
    },
    "taxonomy/workflow_catalog.csv": {
        "workflow_name": required(),
        "execution_mode": required(one_of("sync", "async", "*")),
        "latency_slo_ms": optional(whole_number),
        "success_slo": optional(share),
        "cost_budget_usd": optional(amount),
    },
    "outcomes/outcome_events.csv": {
        "event_name": required(),
        "window_days": required(whole_number),
        "value_usd": optional(price),
    },
}


def main(arguments: list[str] | None = None) -> int:
    """Check all seeds and return the exit code: 0 when there is nothing to mend, else 1."""
    parser = argparse.ArgumentParser(
        description="Check the CSV files under seeds/ before dbt loads them. Prints one line per "
        "problem with file, line, column and the fix; exits with 1 when there is one."
    )
    parser.add_argument(
        "--folder",
        type=Path,
        default=PROJECT_DIR / "seeds",
        help="folder with pricing/ and taxonomy/ (default: seeds)",
    )
    folder = parser.parse_args(arguments).folder
    problems, row_count = check_seeds(folder)
    for problem in problems:
        print(problem, file=sys.stderr)
    if problems:
        print(f"{len(problems)} problem(s) in seeds; nothing was loaded", file=sys.stderr)
        return 1
    print(f"{len(SEEDS)} seeds with {row_count} rows: no problem")
    return 0


def check_seeds(folder: Path) -> tuple[list[Problem], int]:
    """Return all problems of the seeds in a folder, in file order, and the number of rows.

    Comparisons between rows and files run only when every file can be read and every value is
    good by itself, so that one mistake gives one line.
    """
    problems: list[Problem] = []
    rows: dict[str, list[Row]] = {}
    for name, columns in SEEDS.items():
        rows[name], found = read_seed(shown(folder / name), folder / name, columns)
        problems += found
    if not problems:
        problems += check_pricing(*list(rows.values())[:3])
        problems += check_aliases(*list(rows.values())[:2])
        problems += check_rules(rows["taxonomy/failure_mode_rules.csv"])
        problems += check_request_rules(rows["taxonomy/request_rules.csv"])
        problems += check_advice(
            rows["taxonomy/failure_mode_rules.csv"], rows["taxonomy/failure_mode_advice.csv"]
        )
        problems += check_scales(rows["taxonomy/feedback_scales.csv"])
        problems += duplicates(rows["pricing/cost_conventions.csv"], ("sender",))
        problems += duplicates(rows["pricing/service_tiers.csv"], ("word",))
        problems += check_limits(
            rows["pricing/model_limits.csv"], rows["pricing/model_pricing.csv"]
        )
        problems += check_candidates(
            rows["pricing/right_sizing_candidates.csv"], rows["pricing/model_pricing.csv"]
        )
        problems += check_plans(rows["pricing/plan_prices.csv"])
        problems += check_periods(rows["pricing/agent_budgets.csv"], "agent_name")
        problems += duplicates(rows["taxonomy/status_words.csv"], ("word",))
        problems += duplicates(rows["taxonomy/agent_aliases.csv"], ("agent_name",))
        problems += check_tool_rates(rows["pricing/tool_rate_card.csv"])
        problems += check_agents(rows["taxonomy/agent_catalog.csv"])
        problems += duplicates(
            rows["taxonomy/workflow_catalog.csv"], ("workflow_name", "execution_mode")
        )
        problems += check_outcomes(rows["outcomes/outcome_events.csv"])
    return problems, sum(len(found) for found in rows.values())


def shown(path: Path) -> Path:
    """Return a path as a person would type it in the project folder."""
    return path.relative_to(PROJECT_DIR) if path.is_relative_to(PROJECT_DIR) else path


def read_seed(file: Path, path: Path, columns: dict[str, Check]) -> tuple[list[Row], list[Problem]]:
    """Return the rows of one seed and the problems of its header and single values."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return [], [Problem(file, 1, "", "the file is missing; restore it with git")]
    except (OSError, UnicodeDecodeError) as error:
        return [], [
            Problem(file, 1, "", f"cannot be read as UTF-8 text ({error}); save it as such")
        ]
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[Row] = []
    problems: list[Problem] = []
    try:
        header = next(reader, [])
        problems += check_header(file, header, list(columns))
        if problems:
            return [], problems
        for values in reader:
            line = reader.line_num
            if len(values) != len(header):
                problems.append(
                    Problem(
                        file,
                        line,
                        "",
                        f"has {len(values)} values instead of {len(header)}; quote values that "
                        "contain a comma and remove empty lines",
                    )
                )
                continue
            row = Row(file, line, dict(zip(header, values, strict=True)))
            rows.append(row)
            for column, check in columns.items():
                message = check(row[column])
                if message:
                    problems.append(row.problem(column, message))
    except csv.Error as error:
        problems.append(
            Problem(file, reader.line_num, "", f"is not valid CSV ({error}); check the quotes")
        )
    return rows, problems


def check_header(file: Path, header: list[str], columns: list[str]) -> list[Problem]:
    """Return a problem for every column that is missing, unknown or there twice."""
    problems = [
        Problem(file, 1, column, "this column is missing; the header must be " + ",".join(columns))
        for column in columns
        if column not in header
    ]
    problems += [
        Problem(file, 1, column, "this column is not known; remove it or correct its name")
        for column in header
        if column not in columns
    ]
    problems += [
        Problem(file, 1, column, "this column is there twice; remove one")
        for column in sorted({column for column in header if header.count(column) > 1})
    ]
    return problems


def duplicates(rows: list[Row], columns: tuple[str, ...]) -> Iterator[Problem]:
    """Yield a problem for every row that repeats the values of an earlier one in `columns`."""
    first_lines: dict[tuple[str, ...], int] = {}
    for row in rows:
        key = tuple(row[column] for column in columns)
        if key in first_lines:
            text = " ".join(part for part in key if part)
            yield row.problem(
                columns[-1], f"{text!r} is already in line {first_lines[key]}; remove one of them"
            )
        first_lines.setdefault(key, row.line)


def check_pricing(
    prices: list[Row], aliases: list[Row], conventions: list[Row]
) -> Iterator[Problem]:
    """Yield problems of price intervals, long-context tiers, providers and missing aliases."""
    by_model: dict[str, list[Row]] = {}
    for row in prices:
        by_model.setdefault(row["canonical_model"], []).append(row)
        if row["valid_to"] and row["valid_to"] <= row["valid_from"]:
            yield row.problem("valid_to", f"{row['valid_to']} must be after {row['valid_from']}")
        has_threshold = row["long_context_threshold_tokens"] != ""
        if has_threshold != (row["long_context_input_usd_per_million_tokens"] != ""):
            yield row.problem(
                "long_context_threshold_tokens",
                "a threshold and a long-context input price belong together; fill in both or none",
            )
    known = {row["provider"] for row in conventions}
    for provider in sorted({row["provider"] for row in prices} - known):
        first = next(row for row in prices if row["provider"] == provider)
        yield first.problem(
            "provider", f"{provider!r} has no row in provider_token_conventions.csv; add one"
        )
    if "default" not in known and conventions:
        yield conventions[-1].problem("provider", "there is no row 'default'; add one")
    for row in conventions:
        if bool(row["provider"]) == bool(row["sender"]):
            yield row.problem(
                "sender", "a row is about a provider or about a sender; fill one of the two columns"
            )
    yield from duplicates([row for row in conventions if row["provider"]], ("provider",))
    yield from duplicates([row for row in conventions if row["sender"]], ("sender",))
    own_alias = {row["alias"]: row["canonical_model"] for row in aliases}
    for model, rows in by_model.items():
        yield from check_intervals(rows)
        if own_alias.get(model) != model:
            yield rows[0].problem(
                "canonical_model",
                f"{model!r} does not resolve to itself; add the row {model},exact,{model} to "
                "model_aliases.csv",
            )


def check_intervals(rows: list[Row]) -> Iterator[Problem]:
    """Yield problems of the intervals of one model: overlaps and two providers."""
    ordered = sorted(rows, key=lambda row: row["valid_from"])
    for earlier, later in pairwise(ordered):
        if earlier["provider"] != later["provider"]:
            yield later.problem(
                "provider",
                f"{later['canonical_model']!r} has another provider in line {earlier.line}; give "
                "the model at this host a name of its own",
            )
        if not earlier["valid_to"] or earlier["valid_to"] > later["valid_from"]:
            yield later.problem(
                "valid_from",
                f"{later['valid_from']} overlaps with the price of {later['canonical_model']!r} in "
                f"line {earlier.line}; set its valid_to to {later['valid_from']}",
            )


def check_tool_rates(rates: list[Row]) -> Iterator[Problem]:
    """Yield problems of the prices of tools: none given, and those of their periods."""
    yield from check_periods(rates, "tool_name")
    for row in rates:
        if not row["usd_per_call"] and not row["usd_per_second"]:
            yield row.problem("usd_per_call", "is empty, and so is usd_per_second; fill in one")


def check_limits(limits: list[Row], prices: list[Row]) -> Iterator[Problem]:
    """Yield problems of limits of models: repeated models, and names without a price."""
    yield from duplicates(limits, ("canonical_model",))
    models = {row["canonical_model"] for row in prices}
    for row in limits:
        if row["canonical_model"] not in models:
            yield row.problem(
                "canonical_model",
                f"{row['canonical_model']!r} has no price; name a model of model_pricing.csv",
            )


def check_candidates(candidates: list[Row], prices: list[Row]) -> Iterator[Problem]:
    """Yield problems of models to weigh up: repeated pairs, and names without a price."""
    yield from duplicates(candidates, ("current_model", "candidate_model"))
    models = {row["canonical_model"] for row in prices}
    for row in candidates:
        for column in ("current_model", "candidate_model"):
            if row[column] not in models:
                yield row.problem(
                    column, f"{row[column]!r} has no price; name a model of model_pricing.csv"
                )
        if row["current_model"] == row["candidate_model"]:
            yield row.problem("candidate_model", "is the current model; name another one")


def check_plans(plans: list[Row]) -> Iterator[Problem]:
    """Yield problems of plans: those of their prices, and two default plans at one time."""
    yield from check_periods(plans, "plan_name")
    defaults = [row for row in plans if row["is_default"] == "true"]
    for earlier, later in overlaps(defaults):
        if earlier["plan_name"] != later["plan_name"]:
            yield later.problem(
                "is_default",
                f"{earlier['plan_name']!r} in line {earlier.line} is the default at the same time; "
                "leave one",
            )


def check_periods(rows: list[Row], column: str) -> Iterator[Problem]:
    """Yield problems of intervals: ends that are no ends, and overlaps of one name."""
    by_name: dict[str, list[Row]] = {}
    for row in rows:
        by_name.setdefault(row[column], []).append(row)
        if row["valid_to"] and row["valid_to"] <= row["valid_from"]:
            yield row.problem("valid_to", f"{row['valid_to']} must be after {row['valid_from']}")
    for same in by_name.values():
        for earlier, later in overlaps(same):
            yield later.problem(
                "valid_from",
                f"{later['valid_from']} overlaps with the row of {later[column]!r} in line "
                f"{earlier.line}; set its valid_to to {later['valid_from']}",
            )


def overlaps(rows: list[Row]) -> Iterator[tuple[Row, Row]]:
    """Yield neighbours in time of which the earlier one has not ended when the later one begins."""
    for earlier, later in pairwise(sorted(rows, key=lambda row: row["valid_from"])):
        if not earlier["valid_to"] or earlier["valid_to"] > later["valid_from"]:
            yield earlier, later


def check_aliases(prices: list[Row], aliases: list[Row]) -> Iterator[Problem]:
    """Yield problems of aliases: twice there, a wrong star, a missing or useless model."""
    yield from duplicates(aliases, ("alias",))
    models = {row["canonical_model"] for row in prices}
    for row in aliases:
        model = row["canonical_model"]
        message = check_stars(row["match_type"], row["alias"])
        if message:
            yield row.problem("alias", message)
        if row["match_type"] in ("prefix", "suffix"):
            if model:
                yield row.problem(
                    "canonical_model", f"must be empty for a {row['match_type']}; remove it"
                )
        elif row["match_type"] == "pattern" and model == "":
            pass  # names of this kind have no known price
        elif model == "":
            yield row.problem("canonical_model", "is empty; name a model of model_pricing.csv")
        elif model not in models:
            yield row.problem(
                "canonical_model", f"{model!r} has no price; add it to model_pricing.csv"
            )


def check_stars(match_type: str, alias: str) -> str | None:
    """Return what is wrong with the stars of an alias, each of which stands for any text."""
    inner = alias.removesuffix("*") if match_type == "suffix" else alias
    stars = inner.count("*")
    if match_type in ("exact", "family"):
        return "has a *; only a prefix, a suffix and a pattern may" if stars else None
    if match_type == "pattern":
        return "a pattern needs one *; write it once" if stars != 1 or alias == "*" else None
    if stars > 1:
        return "has too many *; one may stand inside"
    if match_type == "prefix" and (inner.startswith("*") or inner.endswith("*")):
        return "a prefix has no * at its ends; text must stand on both sides"
    if match_type == "suffix" and (inner.startswith("*") or inner.endswith("*")):
        return "a suffix has no * at its front, and text before the one at its end"
    if match_type == "suffix" and alias.endswith("*") and not stars:
        return "a suffix that ends with * needs another one inside, after the names it is meant for"
    return None


def check_rules(rules: list[Row]) -> Iterator[Problem]:
    """Yield problems of failure rules: order, names, patterns and the missing fall-back."""
    yield from duplicates(rules, ("priority",))
    yield from duplicates(rules, ("rule_id",))
    taxonomy: dict[str, Row] = {}
    for row in rules:
        message = check_pattern(row["match_type"], row["pattern"])
        if message:
            yield row.problem("pattern", message)
        if row["match_field"] == "status":
            yield from check_status_rule(row)
        first = taxonomy.setdefault(row["failure_mode"], row)
        for column in ("failure_category", "failure_group"):
            if row[column] != first[column]:
                yield row.problem(
                    column,
                    f"{row['failure_mode']!r} belongs to {first[column]!r} in line {first.line}; "
                    "a mode has one place",
                )
    last_resort = [
        row
        for row in rules
        if row["step_scope"] == "any"
        and row["match_field"] == "status"
        # the word that says no more than that something failed
        and "error" in row["pattern"].split("|")
        and int(row["priority"]) >= FALL_BACK_PRIORITY
    ]
    if rules and not last_resort:
        yield rules[-1].problem(
            "priority",
            f"no rule from priority {FALL_BACK_PRIORITY} on catches the status 'error' of any row; "
            "add one",
        )


def check_request_rules(rules: list[Row]) -> Iterator[Problem]:
    """Yield problems of request rules: order, names and patterns."""
    yield from duplicates(rules, ("priority",))
    yield from duplicates(rules, ("rule_id",))
    for row in rules:
        message = check_pattern(row["match_type"], row["pattern"])
        if message:
            yield row.problem("pattern", message)


def check_advice(rules: list[Row], advice: list[Row]) -> Iterator[Problem]:
    """Yield problems of the advice on failure modes: repeated, unknown and forgotten modes."""
    yield from duplicates(advice, ("failure_mode",))
    found = {row["failure_mode"] for row in rules}
    for row in advice:
        if row["failure_mode"] not in found:
            yield row.problem(
                "failure_mode",
                f"no rule of failure_mode_rules.csv finds {row['failure_mode']!r}; "
                "correct the name or remove the row",
            )
    # an empty seed is a team that wants no advice
    for mode in sorted(found - {row["failure_mode"] for row in advice}) if advice else ():
        yield advice[-1].problem("failure_mode", f"there is no row for {mode!r}; add one")


def check_status_rule(row: Row) -> Iterator[Problem]:
    """Yield problems of a rule on status words, which SQL takes apart at `|`."""
    if row["match_type"] != "in":
        yield row.problem("match_type", "must be `in` for a rule on status; list its words")
        return
    words = row["pattern"].split("|")
    if len(words) > MAX_STATUS_WORDS:
        yield row.problem(
            "pattern", f"has more than {MAX_STATUS_WORDS} words; make two rules of it"
        )
    for word in words:
        message = status_word(word)
        if message or "," in word:
            yield row.problem("pattern", message or f"{word!r} has a comma; no status has one")


def check_pattern(match_type: str, pattern: str) -> str | None:
    """Return what is wrong with the pattern of a failure rule.

    Regular expressions must mean the same in every SQL engine: no backslash (`[0-9]` instead of
    `\\d`), no `(?` and no `[[:space:]]`, which Java reads as a set of letters. They must compile
    here and in DuckDB, and not match everything.
    """
    if match_type == "in":
        empty = [value for value in pattern.split("|") if value.strip() != value or value == ""]
        return "has an empty value or a space beside `|`; remove it" if empty else None
    if match_type == "contains":
        return None
    if "\\" in pattern or "(?" in pattern or ":]" in pattern:
        return (
            "uses `\\`, `(?` or `:]`, which not every engine knows; "
            "write character sets such as [0-9]"
        )
    try:
        compiled = re.compile(pattern)
        duckdb.execute("select regexp_matches('', ?)", [pattern])
    except (re.error, duckdb.Error) as error:
        return f"is not a regular expression ({' '.join(str(error).split())}); correct it"
    if compiled.search(""):
        return "matches every text; remove the empty alternative"
    return None


def check_scales(scales: list[Row]) -> Iterator[Problem]:
    """Yield problems of feedback scales: a row is either a scale or a label."""
    yield from duplicates(scales, ("feedback_type", "value_label"))
    for row in scales:
        is_label = row["value_label"] != ""
        for column in ("worst_value", "best_value"):
            if is_label == (row[column] != ""):
                wish = "must be empty beside a label" if is_label else "is empty; fill in the scale"
                yield row.problem(column, wish)
        if is_label != (row["rating"] != ""):
            wish = "is empty; a label needs a rating" if is_label else "must be empty for a scale"
            yield row.problem("rating", wish)
        if row["worst_value"] and row["worst_value"] == row["best_value"]:
            yield row.problem("best_value", "equals worst_value; a scale has two ends")


def check_agents(agents: list[Row]) -> Iterator[Problem]:
    """Yield problems of the agent catalogue: repeated rows and the missing default."""
    yield from duplicates(agents, ("agent_name", "execution_mode"))
    if agents and not any(row["agent_name"] == row["execution_mode"] == "*" for row in agents):
        yield agents[-1].problem(
            "agent_name", "there is no row for the agent * and mode *; add one"
        )
    first_rows: dict[str, Row] = {}
    for row in agents:
        first = first_rows.setdefault(row["agent_name"], row)
        for column in ("role", "infrastructure_usd_per_hour"):
            if row[column] != first[column]:
                yield row.problem(
                    column,
                    f"{row['agent_name']!r} has {first[column]!r} in line {first.line}; it is the "
                    "agent's in every mode",
                )


def check_outcomes(outcomes: list[Row]) -> Iterator[Problem]:
    """Yield problems of outcome events: repeated ones and windows that never end."""
    yield from duplicates(outcomes, ("event_name",))
    for row in outcomes:
        if int(row["window_days"]) > MAX_WINDOW_DAYS:
            yield row.problem(
                "window_days",
                f"{row['window_days']} is more than {MAX_WINDOW_DAYS}; shorten the window",
            )


if __name__ == "__main__":
    raise SystemExit(main())
