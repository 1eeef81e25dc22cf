"""Mistakes made on purpose: each turns the test that guards the rule red, and no other asked for.

A mutation changes one place of a copy of the project. A corruption changes built tables, to prove
that the integrity tests see it. Run them alone with `pytest tests/python/test_mutations.py`.
"""

from __future__ import annotations

from typing import NamedTuple

import pytest

from scripts.warehouse import AUDIT_SCHEMA, MARTS_SCHEMA, PROJECT_DIR, connect
from tests.python.warehouses import (
    Warehouse,
    copy_of_project,
    errors_of,
    event,
    failed_nodes,
    story,
)

pytestmark = [
    pytest.mark.xdist_group("mutations"),
    # of a library inside dbt
    pytest.mark.filterwarnings("ignore:GitWildMatchPattern"),
]

WORKING = "analytics_working"


class Mutation(NamedTuple):
    """One mistake: what to replace where, and the dbt test that must notice."""

    mistake: str
    file: str
    old: str
    new: str
    test: str


MUTATIONS = [
    Mutation(
        "responses are matched off by one",
        "models/working/reported/int_agent_responses_matched.sql",
        "numbered_responses.response_number = numbered_sessions.session_number",
        "numbered_responses.response_number = numbered_sessions.session_number + 1",
        "nth_response_belongs_to_nth_session_of_its_agent",
    ),
    Mutation(
        "responses are joined by agent only and fan out",
        "models/working/reported/int_agent_responses_matched.sql",
        "and numbered_responses.response_number = numbered_sessions.session_number",
        "",
        "surplus_response_never_fans_out",
    ),
    Mutation(
        "cost is summed over both events of one execution",
        "models/working/reported/int_agent_sessions_assembled.sql",
        "coalesce(reported_sessions.reported_cost_usd, responses.reported_cost_usd) as",
        "coalesce(reported_sessions.reported_cost_usd, 0)"
        " + coalesce(responses.reported_cost_usd, 0) as",
        "response_and_completion_of_one_execution_are_one_session",
    ),
    Mutation(
        "matched responses are counted as sessions once more",
        "models/working/reported/int_agent_sessions_assembled.sql",
        "and not matches.is_matched",
        "",
        "response_and_completion_of_one_execution_are_one_session",
    ),
    Mutation(
        "a coalesce with the response is dropped",
        "models/working/reported/int_agent_sessions_assembled.sql",
        "coalesce(reported_sessions.duration_ms, responses.duration_ms)",
        "reported_sessions.duration_ms",
        "response_fills_in_what_the_completion_left_out",
    ),
    Mutation(
        "cache reads and cache writes are swapped",
        "models/working/reported/int_agent_steps_accepted.sql",
        "{{ plausible_token_count('sent_cache_write_tokens') }} as sent_cache_write_tokens",
        "{{ plausible_token_count('sent_cache_read_tokens') }} as sent_cache_write_tokens",
        "step_is_known_by_the_id_of_its_event",
    ),
    Mutation(
        "cached tokens are taken out of prompts that cannot hold them",
        "macros/domain/tokens_and_cost.sql",
        "when cached_in_prompt > sent_prompt_tokens then sent_prompt_tokens",
        "when cached_in_prompt > sent_prompt_tokens then 0",
        "cached_above_prompt_proves_exclusive_tokens",
    ),
    Mutation(
        "duplicates are not told apart",
        "macros/domain/event_disposition.sql",
        "when delivery_number > 1 then 'duplicate'",
        "",
        "newest_loaded_delivery_of_an_event_is_kept",
    ),
    Mutation(
        "of several deliveries the first loaded is kept",
        "macros/domain/event_disposition.sql",
        "loaded_at desc nulls last, received_at desc nulls last",
        "loaded_at nulls last, received_at desc nulls last",
        "newest_loaded_delivery_of_an_event_is_kept",
    ),
    Mutation(
        "ambiguous conversations are guessed",
        "models/intermediate/events/int_events.sql",
        "case when count(*) = 1 then min(conversation_id) end",
        "min(conversation_id)",
        "event_is_accepted_or_quarantined_with_reason",
    ),
    Mutation(
        "ids are learnt from rows without an event id",
        "models/intermediate/events/int_events.sql",
        "event_id is not null\n        and sent_conversation_id is not null\n"
        "        and sent_interaction_id in",
        "sent_conversation_id is not null\n        and sent_interaction_id in",
        "event_is_accepted_or_quarantined_with_reason",
    ),
    Mutation(
        "events of two tables share a key",
        "macros/domain/surrogate_keys.sql",
        '"\'" ~ source_table ~ "|\' || coalesce("',
        '"coalesce("',
        "equal_ids_in_two_tables_are_two_events",
    ),
    Mutation(
        "a duplicate is read as an event of its run",
        "models/working/events/int_events_accepted.sql",
        "event_disposition = 'accepted'\n        and ",
        "",
        "only_accepted_events_are_read",
    ),
    Mutation(
        "a run is abandoned a little too late",
        "models/working/reported/int_runs_assembled.sql",
        "when {{ last_event_at }} > {{ abandoned_before }}",
        "when {{ last_event_at }} >= {{ abandoned_before }}",
        "run_without_completion_is_abandoned_after_an_hour_of_data_time",
    ),
    Mutation(
        "the first of conflicting completions counts",
        "models/working/reported/int_runs_assembled.sql",
        "order by event_at desc, received_at desc nulls last, event_id desc",
        "order by event_at, received_at nulls last, event_id",
        "latest_of_conflicting_run_completions_counts",
    ),
    Mutation(
        "prices are joined without their end",
        "models/working/steps/int_agent_steps_priced.sql",
        "and cast(tokens_summed.ended_at as date) < prices.valid_to",
        "",
        "price_is_the_one_of_the_day_of_the_event",
    ),
    Mutation(
        "an unpriced model costs nothing",
        "models/working/steps/int_agent_steps_priced.sql",
        "coalesce(believable_cost_usd, list_cost_usd) as cost_usd",
        "coalesce(believable_cost_usd, list_cost_usd, 0) as cost_usd",
        "reported_step_cost_counts_only_when_it_can_be_believed",
    ),
    Mutation(
        "a partial sum of sessions passes for the cost of the run",
        "models/working/runs/int_runs_priced.sql",
        "unknown_cost_session_count = 0\n",
        "1 = 1\n",
        "run_cost_is_reported_then_summed_from_sessions_then_listed",
    ),
    Mutation(
        "the shortest alias of a model wins",
        "models/working/reported/int_models_resolved.sql",
        "aliases.alias_length desc,\n                case",
        "aliases.alias_length asc,\n                case",
        "model_finds_its_price_through_prefixes_and_the_longest_alias",
    ),
    Mutation(
        "a suffix of one family comes off the names of others",
        "models/working/reported/int_models_resolved.sql",
        "{{ starts_with(name, 'suffixes.head') }}",
        "suffixes.head is not null",
        "model_finds_its_price_without_routes_and_suffixes",
    ),
    Mutation(
        "a pattern without a model takes no price away",
        "models/working/reported/int_models_resolved.sql",
        "aliases.match_type = 'pattern'\n",
        "aliases.match_type = 'pattern' and aliases.canonical_model is not null\n",
        "model_finds_its_price_without_routes_and_suffixes",
    ),
    Mutation(
        "use before the first known price has none",
        "models/intermediate/pricing/int_model_prices.sql",
        "        is_first\n",
        "        is_first and is_newest and false\n",
        "open_price_never_ends_and_the_latest_is_the_newest",
    ),
    Mutation(
        "a retry may be of another step type",
        "models/working/steps/int_agent_steps_numbered.sql",
        "previous_is_failed\n"
        "            and previous_step_type = step_type\n"
        "            and previous_step_target = step_target",
        "previous_is_failed\n            and previous_step_target = step_target",
        "retry_follows_right_after_a_failure_of_the_same_type_and_tool",
    ),
    Mutation(
        "a retry opens an operation of its own",
        "models/working/steps/int_agent_steps_sequenced.sql",
        "coalesce(repetitions.first_position, 1)",
        "attempts.step_position",
        "operation_groups_the_attempts_of_one_thing",
    ),
    Mutation(
        "overlapping sessions are added up",
        "models/working/runs/int_runs_session_totals.sql",
        "{{ milliseconds_between('latest_end_before', 'ended_at') }}",
        "{{ milliseconds_between('started_at', 'ended_at') }}",
        "covered_time_is_the_union_of_session_intervals",
    ),
    Mutation(
        "tool rules come before model rules for rows that are no call",
        "models/intermediate/failures/int_failure_signals_classified.sql",
        "order by effective_priority, priority, rule_id",
        "order by priority, rule_id",
        "rows_that_are_no_call_borrow_the_rules_of_calls",
    ),
    Mutation(
        "unfinished rows are part of the share's denominator",
        "models/marts/reliability/mart_failure_modes.sql",
        "{{ ratio('counted.failure_count', 'bases.n_used') }}",
        "{{ ratio('counted.failure_count', 'bases.n_all') }}",
        "failure_share_is_of_all_rows_of_the_grain_and_day",
    ),
    Mutation(
        "cost per successful run divides by all runs",
        "models/marts/cost/mart_cost_per_interaction.sql",
        "count_where('is_used and is_successful')",
        "count_where('is_used')",
        "cost_rollup_says_what_it_left_out",
    ),
    Mutation(
        "unfinished runs of a user count as ended",
        "models/daily/int_users_daily.sql",
        "{{ count_where('is_final') }} as final_run_count",
        "count(*) as final_run_count",
        "runs_are_counted_per_user_and_day",
    ),
    Mutation(
        "a conversation counts once per run",
        "models/daily/int_run_volume_daily.sql",
        "count(distinct conversation_id)",
        "count(conversation_id)",
        "volume_of_a_day_counts_users_and_conversations_once",
    ),
    Mutation(
        "what was seen two days before the newest run has gone",
        "models/daily/int_first_and_last_sightings.sql",
        "days_of_coincidence = 2",
        "days_of_coincidence = 1",
        "what_was_seen_two_days_before_the_newest_run_has_not_gone",
    ),
    Mutation(
        "users are new twice",
        "models/marts/usage/mart_run_volume.sql",
        "where position_of_user = 1",
        "where position_of_user <= 2",
        "new_users_count_where_their_first_run_is",
    ),
    Mutation(
        "users begin with their last week",
        "models/marts/usage/mart_user_retention.sql",
        "min(run_week) as cohort_week",
        "max(run_week) as cohort_week",
        "retention_is_of_the_users_of_the_first_week",
    ),
    Mutation(
        "every attempt is an operation",
        "models/marts/usage/mart_workflow_health.sql",
        "measured.step_count - coalesce(operations.repeated_step_count, 0) as operation_count",
        "measured.step_count as operation_count",
        "health_of_the_system_is_that_of_all_its_workflows",
    ),
    Mutation(
        "operations are counted where they begin",
        "models/daily/int_operations_daily.sql",
        "{{ count_where('not is_retried') }} as operation_count",
        "{{ count_where('not is_retry') }} as operation_count",
        "operation_counts_where_its_last_attempt_lies",
    ),
    Mutation(
        "retries are a share of attempts",
        "models/marts/reliability/mart_retry_rates.sql",
        "ratio('retried_operation_count', 'operation_count')",
        "ratio('retried_operation_count', 'n_all')",
        "retry_rate_is_of_operations_and_not_of_attempts",
    ),
    Mutation(
        "cancelled runs break something",
        "models/daily/int_failed_runs_daily.sql",
        "run_status in ('error', 'timeout')",
        "run_status in ('error', 'timeout', 'cancelled')",
        "failed_runs_are_counted_where_they_failed_first",
    ),
    Mutation(
        "a week has eight days",
        "models/marts/reliability/mart_breakpoints.sql",
        "'day', -6, 'window_end_date'",
        "'day', -7, 'window_end_date'",
        "breakpoints_look_at_the_window_and_its_last_two_weeks",
    ),
    Mutation(
        "time off the critical path is taken for time on it",
        "models/marts/latency/mart_tool_performance.sql",
        "    where is_on_critical_path\n",
        "    where not is_on_critical_path\n",
        "tool_is_measured_by_its_calls",
    ),
    Mutation(
        "cached tokens are no input",
        "models/marts/latency/mart_model_performance.sql",
        "+ coalesce(sum(cache_read_tokens), 0) ",
        "",
        "model_is_measured_by_calls_that_used_it",
    ),
    Mutation(
        "sessions without a start never finished",
        "models/marts/latency/mart_agent_latency.sql",
        "not is_finished and has_started_event and",
        "not is_finished and",
        "session_that_sent_its_start_only_never_finished",
    ),
    Mutation(
        "runs without a rating have the worst",
        "models/marts/quality/mart_quality.sql",
        "ratio('sum(rating)', 'count(rating)')",
        "ratio('sum(rating)', 'count(*)')",
        "quality_tells_technical_success_from_usefulness",
    ),
    Mutation(
        "cancelled runs failed",
        "macros/domain/outcomes.sql",
        "in ('error', 'timeout')",
        "in ('error', 'timeout', 'cancelled')",
        "quality_tells_technical_success_from_usefulness",
    ),
    Mutation(
        "a run counts once per session of the agent",
        "models/marts/quality/mart_agent_quality.sql",
        "    select distinct\n        run_key,",
        "    select\n        run_key,",
        "agent_is_rated_by_runs_it_took_part_in",
    ),
    Mutation(
        "ranges of lengths include their upper end",
        "models/daily/int_runs_daily.sql",
        "prompt_length < 100 then",
        "prompt_length <= 100 then",
        "runs_are_counted_by_kind_of_input",
    ),
    Mutation(
        "the window ends a day early",
        "models/marts/quality/mart_input_patterns.sql",
        "runs_daily.run_date <= analysis_window",
        "runs_daily.run_date < analysis_window",
        "input_pattern_is_compared_with_its_workflow",
    ),
    Mutation(
        "outcomes of nobody count",
        "models/intermediate/outcomes/int_outcome_events.sql",
        "and user_id is not null",
        "and 1 = 1",
        "outcome_is_an_event_of_the_seed_with_a_user",
    ),
    Mutation(
        "an outcome at the moment of a run comes after it",
        "models/marts/quality/mart_business_outcomes.sql",
        "windows.event_at > user_days.first_started_at",
        "windows.event_at >= user_days.first_started_at",
        "outcome_counts_within_its_window_after_a_run",
    ),
    Mutation(
        "a session without an end was never seen",
        "models/daily/int_agent_sessions_daily.sql",
        "max(coalesce(ended_at, started_at))",
        "max(ended_at)",
        "sessions_are_counted_per_agent_and_model",
    ),
    Mutation(
        "Saturday is a working day",
        "models/marts/core/dim_dates.sql",
        ">= 5 as is_weekend",
        "> 5 as is_weekend",
        "calendar_has_every_day_from_the_first_to_the_newest",
    ),
    Mutation(
        "an agent that was never seen has unknown sessions",
        "models/marts/core/dim_agents.sql",
        "coalesce(seen.session_count, 0)",
        "seen.session_count",
        "agent_is_known_by_its_sessions_or_its_entry",
    ),
    Mutation(
        "a model has its oldest price",
        "models/marts/core/dim_models.sql",
        "order by valid_from desc",
        "order by valid_from asc",
        "model_has_its_newest_list_price",
    ),
    Mutation(
        "a session that says nothing has a say in how tokens are counted",
        "models/working/runs/int_runs_session_totals.sql",
        "priced_sessions.canonical_model is not null or priced_sessions.total_tokens is not null",
        "1 = 1",
        "run_has_the_convention_of_the_sessions_that_used_something",
    ),
    Mutation(
        "only models with a known limit are models",
        "models/marts/core/dim_models.sql",
        "left join limits",
        "inner join limits",
        "model_has_its_newest_list_price",
    ),
    Mutation(
        "no tool is a tool",
        "models/marts/core/dim_tools.sql",
        "where tool_name != '(none)'",
        "where 1 = 1",
        "tool_is_known_by_its_calls",
    ),
    Mutation(
        "nobody is a user",
        "models/marts/core/dim_users.sql",
        "where user_id is not null",
        "where 1 = 1",
        "user_is_known_by_their_runs",
    ),
    Mutation(
        "a workflow was last seen on its first day",
        "models/marts/core/dim_workflows.sql",
        "max(last_started_at)",
        "min(last_started_at)",
        "workflow_is_known_by_its_runs",
    ),
    Mutation(
        "the run that ended last ends a conversation",
        "models/marts/core/fct_conversations.sql",
        "order by started_at desc nulls last",
        "order by ended_at desc nulls last",
        "conversation_is_told_by_its_first_and_last_runs",
    ),
    Mutation(
        "what rounding leaves over belongs to no class",
        "macros/domain/tokens_and_cost.sql",
        "then {{ listed_usd }} - ({{ costs | join(' + ') }})",
        "then 0",
        "list_cost_of_the_classes_adds_up_to_the_list_cost",
    ),
    Mutation(
        "a tool without a rate is free",
        "models/working/steps/int_agent_steps_priced.sql",
        "when rates.rated_tool is not null\n",
        "when 1 = 1\n",
        "tool_call_costs_what_the_rate_card_says_of_its_day",
    ),
    Mutation(
        "retries are redundant steps",
        "models/working/sessions/int_agent_sessions_step_totals.sql",
        "count(case when not is_retry then signature_hash end)",
        "count(signature_hash)",
        "step_that_does_the_same_again_is_redundant",
    ),
    Mutation(
        "an unknown cost of models is 0 in the full cost",
        "models/marts/core/fct_agent_sessions.sql",
        "priced_sessions.cost_usd + coalesce(step_totals.tool_cost_usd, 0)",
        "coalesce(priced_sessions.cost_usd, 0) + coalesce(step_totals.tool_cost_usd, 0)",
        "full_cost_adds_tools_and_infrastructure",
    ),
    Mutation(
        "a handoff waits from the latest step of all",
        "models/working/handoffs/int_agent_handoffs.sql",
        "and steps.ended_at <= handoffs.handed_at",
        "",
        "session_with_a_parent_has_its_work_from_there",
    ),
    Mutation(
        "any open session of the run above hands over",
        "models/working/handoffs/int_agent_handoffs.sql",
        "when open_sessions.open_count = 1",
        "when open_sessions.open_count > 0",
        "run_below_another_has_its_work_from_the_one_open_session",
    ),
    Mutation(
        "an overlap of clocks is a fan-out",
        "models/working/runs/int_runs_topology.sql",
        "> 10 * {{ start_ms }} + ({{ end_ms }} - {{ start_ms }})",
        "> 10 * {{ start_ms }}",
        "topology_of_a_run_without_parents",
    ),
    Mutation(
        "four times the same is a loop",
        "models/working/runs/int_runs_topology.sql",
        "repetitions.max_occurrence_count >= 5",
        "repetitions.max_occurrence_count >= 4",
        "five_times_the_same_is_a_loop",
    ),
    Mutation(
        "what users do goes on with a conversation",
        "models/working/runs/int_runs_ending_conversations.sql",
        "and source_table != 'ai_user_action'",
        "",
        "failure_ends_a_conversation_when_no_run_goes_on",
    ),
    Mutation(
        "the objective of any workflow comes first",
        "models/working/reported/int_runs_assembled.sql",
        "            workflow_and_mode.latency_slo_ms,\n"
        "            workflow_any_mode.latency_slo_ms,\n"
        "            any_workflow.latency_slo_ms,",
        "            any_workflow.latency_slo_ms,\n"
        "            workflow_and_mode.latency_slo_ms,\n"
        "            workflow_any_mode.latency_slo_ms,",
        "run_may_take_what_the_catalogue_of_workflows_says",
    ),
    Mutation(
        "runs that go on are part of the figures of orchestration",
        "models/marts/orchestration/mart_orchestration.sql",
        "        is_final and topology is not null as is_used,",
        "        topology is not null as is_used,",
        "orchestration_counts_ended_runs_with_sessions",
    ),
    Mutation(
        "independent runs are a share of those in order",
        "models/marts/orchestration/mart_parallelization.sql",
        "{{ ratio('independent_run_count', 'n_used') }}",
        "{{ ratio('independent_run_count', 'sequential_run_count') }}",
        "pair_that_sometimes_runs_otherwise_is_independent",
    ),
    Mutation(
        "the day after the window is a part of it",
        "models/marts/orchestration/mart_paths.sql",
        "in_analysis_window('days.run_date')",
        "'days.run_date >= analysis_window.window_start_date'",
        "path_has_its_share_of_the_runs_of_its_workflow",
    ),
    Mutation(
        "requests of all kinds are one whole",
        "models/marts/orchestration/mart_routes.sql",
        "'sum(summed.n_all) over (partition by summed.workflow_name, summed.request_category)'",
        "'sum(summed.n_all) over (partition by summed.workflow_name)'",
        "route_has_its_share_of_the_requests_of_its_kind",
    ),
    Mutation(
        "agents that take turns count as often as they do",
        "models/daily/int_agent_pairs_daily.sql",
        "first_forward_number < first_backward_number",
        "first_forward_number > first_backward_number",
        "pair_of_agents_counts_once_per_run",
    ),
    Mutation(
        "an unknown outcome is a failure",
        "models/daily/int_run_routes_daily.sql",
        "{{ count_where('is_final and is_successful is not null') }}",
        "{{ count_where('is_final') }}",
        "runs_of_a_day_are_counted_by_the_way_they_went",
    ),
    Mutation(
        "shares of agents are of all days together",
        "models/marts/cost/mart_cost_by_agent.sql",
        "sum(cost_usd) over (partition by session_date)",
        "sum(cost_usd) over ()",
        "cost_of_agents_is_a_share_of_their_day",
    ),
    Mutation(
        "sessions under way count in the cost per session",
        "models/marts/cost/mart_cost_by_agent.sql",
        "session_status != 'in_progress' and cost_usd is not null as is_used",
        "cost_usd is not null as is_used",
        "cost_of_agents_is_a_share_of_their_day",
    ),
    Mutation(
        "the cheapest runs are the first tenth",
        "models/marts/cost/mart_cost_concentration.sql",
        "cost_usd desc, {{ key_order('run_key') }} asc\n        ) as decile",
        "cost_usd asc, {{ key_order('run_key') }} asc\n        ) as decile",
        "one_dear_run_of_ten_takes_ninety_one_hundredths",
    ),
    Mutation(
        "the dearest tenth is rounded down",
        "models/marts/cost/mart_cost_concentration.sql",
        "(ranked.cost_rank - 1) * 10 < totals.n_used",
        "ranked.cost_rank * 10 <= totals.n_used",
        "gini_is_none_for_equals_and_half_for_five_uneven_runs",
    ),
    Mutation(
        "the day of a run is part of its own baseline",
        "models/marts/cost/mart_cost_outliers.sql",
        "whole_numbers(1, baseline_days, 'days_before')",
        "whole_numbers(0, baseline_days, 'days_before')",
        "run_is_dear_against_the_28_days_before_it",
    ),
    Mutation(
        "few runs are a baseline",
        "models/marts/cost/mart_cost_outliers.sql",
        "medians.n_used >= 30",
        "medians.n_used >= 3",
        "run_is_dear_against_the_28_days_before_it",
    ),
    Mutation(
        "no deviation, nothing dear",
        "models/marts/cost/mart_cost_outliers.sql",
        "or (baseline_mad_usd = 0 and cost_usd > 3 * baseline_median_usd)",
        "",
        "among_equal_costs_three_times_the_median_is_dear",
    ),
    Mutation(
        "intensity is measured at the new price",
        "models/marts/cost/mart_cost_bridge.sql",
        "'n_used * (u1 - u0) * previous_cost_per_session / u0'",
        "'n_used * (u1 - u0) * cost_usd / n_used / u1'",
        "groups_that_come_go_and_count_no_tokens_balance",
    ),
    Mutation(
        "a gone group vanishes from the bridge",
        "models/marts/cost/mart_cost_bridge.sql",
        "compared.n_all > 0 or compared.previous_n_used > 0",
        "compared.n_all > 0",
        "groups_that_come_go_and_count_no_tokens_balance",
    ),
    Mutation(
        "candidates are weighed up at the prices of once",
        "models/marts/cost/mart_model_right_sizing.sql",
        "from {{ ref('int_model_prices') }}\n    where is_newest",
        "from {{ ref('int_model_prices') }}\n    where is_newest or 1 = 1",
        "cheaper_model_is_tried_or_left_by_its_success",
    ),
    Mutation(
        "a model that may be worse is a switch",
        "models/marts/cost/mart_model_right_sizing.sql",
        "when success_difference_low >= -0.02",
        "when success_difference_low >= -0.05",
        "cheaper_model_is_tried_or_left_by_its_success",
    ),
    Mutation(
        "a wordy candidate is taken for cheaper",
        "models/marts/cost/mart_model_right_sizing.sql",
        "coalesce(costs_of_pairs.observed_cost_usd, costs_of_pairs.same_tokens_cost_usd)",
        "costs_of_pairs.same_tokens_cost_usd",
        "model_switches_only_with_enough_successes_seen",
    ),
    Mutation(
        "long calls have the price of short ones",
        "models/marts/cost/mart_model_right_sizing.sql",
        "usage_as_billed.context_above_tokens >= prices.long_context_threshold_tokens",
        "false",
        "tokens_are_priced_by_class_and_length_of_context",
    ),
    Mutation(
        "six days make a switch",
        "models/marts/cost/mart_model_switches.sql",
        "and day_count_after = 7",
        "and day_count_after >= 6",
        "main_model_switches_after_seven_days_and_for_seven",
    ),
    Mutation(
        "a run without a user is somebody's",
        "models/marts/cost/mart_unit_economics.sql",
        "user_id is not null\n        and ",
        "",
        "plan_breaks_even_at_its_price_by_cost_per_run",
    ),
    Mutation(
        "a plan holds before it begins",
        "models/marts/cost/mart_unit_economics.sql",
        "plan_prices.valid_from < months.next_month_start_date\n        and ",
        "",
        "plan_breaks_even_at_its_price_by_cost_per_run",
    ),
    Mutation(
        "the month has always ended",
        "models/marts/cost/mart_agent_budgets.sql",
        "case when days_of_data < days_of_month then days_of_data else days_of_month end",
        "days_of_month",
        "budget_lasts_as_far_as_the_pace_so_far_carries",
    ),
    Mutation(
        "a first number of units is compared with none",
        "models/marts/cost/mart_marginal_steps.sql",
        "where mean_cost_usd is not null",
        "where 1 = 1",
        "second_step_costs_and_succeeds_more_than_the_first",
    ),
    Mutation(
        "runs without a unit count",
        "models/marts/cost/mart_marginal_steps.sql",
        "and daily.unit_number > 0",
        "",
        "second_step_costs_and_succeeds_more_than_the_first",
    ),
    Mutation(
        "runs with a step are among those without",
        "models/marts/cost/mart_step_influence.sql",
        "workflows.n_used - steps.run_count_with as run_count_without",
        "workflows.n_used as run_count_without",
        "steps_help_hurt_or_cost_without_effect",
    ),
    Mutation(
        "tokens of unpriced sessions count",
        "models/daily/int_agent_sessions_daily.sql",
        "bigint_sum('case when is_priced then input_tokens end')",
        "bigint_sum('input_tokens')",
        "tokens_of_a_day_are_those_of_sessions_with_a_cost",
    ),
    Mutation(
        "a call at the threshold is a long one",
        "models/daily/int_model_calls_daily.sql",
        "{{ context_tokens }} <= (select",
        "{{ context_tokens }} < (select",
        "calls_are_counted_by_the_thresholds_they_exceed",
    ),
    Mutation(
        "steps are in the order of their sessions",
        "models/daily/int_run_units_daily.sql",
        "partition by steps.run_key order by steps.ended_at, steps.step_number,",
        "partition by steps.run_key order by steps.step_number, steps.ended_at,",
        "units_of_a_run_are_counted_in_their_order",
    ),
    Mutation(
        "a run counts once for each step",
        "models/daily/int_run_steps_daily.sql",
        "{{ count_where('is_final and is_successful is not null') }}",
        "{{ bigint_sum('step_count') }}",
        "run_counts_once_for_each_type_of_step_it_has",
    ),
    Mutation(
        "the agent that hands over waits",
        "models/marts/latency/mart_agent_latency.sql",
        "        to_agent_session_key,\n        gap_ms as",
        "        from_agent_session_key as to_agent_session_key,\n        gap_ms as",
        "start_gap_is_that_of_sessions_that_were_handed_work",
    ),
    Mutation(
        "a workflow may do as badly as its laxer entry",
        "models/marts/core/dim_workflows.sql",
        "max(success_slo)",
        "min(success_slo)",
        "workflow_is_known_by_its_runs",
    ),
    Mutation(
        "every tool has a rate",
        "models/marts/core/dim_tools.sql",
        "rated.rated_tool is not null as has_rate",
        "true as has_rate",
        "tool_is_known_by_its_calls",
    ),
    Mutation(
        "what one level costs beyond the one below belongs to nobody",
        "models/marts/cost/mart_cost_tree.sql",
        "sum(runs.cost_usd - coalesce(told_by_sessions.told_cost_usd, 0))",
        "sum(runs.cost_usd)",
        "cost_of_a_run_is_followed_to_its_token_classes",
    ),
    Mutation(
        "a retry does the work again",
        "models/marts/reliability/mart_repeated_steps.sql",
        "case when not is_retry then signature_hash end as signature_hash",
        "signature_hash",
        "work_is_repeated_when_a_run_does_one_thing_again",
    ),
    Mutation(
        "unknown outcomes are failures of a version",
        "models/marts/usage/mart_agent_versions.sql",
        "where agent_version is not null",
        "where 1 = 1",
        "version_is_judged_by_its_sessions",
    ),
    Mutation(
        "every session has an error to name",
        "models/daily/int_instrumentation_daily.sql",
        "sessions.is_failed and sessions.error_type is not null as has_error_type",
        "sessions.error_type is not null or not sessions.is_failed as has_error_type",
        "session_tells_up_to_eight_things",
    ),
    Mutation(
        "types of errors are a share of all sessions",
        "models/marts/trust/mart_instrumentation_coverage.sql",
        "'error_type': 'failed_session_count'",
        "'error_type': 'n_all'",
        "coverage_is_a_share_of_the_sessions_of_the_window",
    ),
    Mutation(
        "an intent goes before a category",
        "models/working/runs/int_runs_categorized.sql",
        "coalesce(sent_request_category, intent)",
        "coalesce(intent, sent_request_category)",
        "category_is_sent_or_found_by_the_first_rule",
    ),
    Mutation(
        "the last rule on prompts counts",
        "models/intermediate/requests/int_prompts_classified.sql",
        "order by priority, rule_id",
        "order by priority desc, rule_id",
        "text_of_a_prompt_meets_the_rules_in_their_order",
    ),
    Mutation(
        "answers of runs with sessions of their own count twice",
        "models/working/reported/int_answers_usage.sql",
        "where told_otherwise.other_run_key is null",
        "where 1 = 1",
        "answer_of_an_sdk_lists_executions",
    ),
]

# One row per integrity test: a statement that breaks what the test guards.
CORRUPTIONS = {
    "assert_cost_tree_adds_up_to_runs": (
        f"update {MARTS_SCHEMA}.mart_cost_tree set cost_usd = cost_usd + 1 "
        "where cost_component = 'output'"
    ),
    "assert_repetitions_are_those_of_runs": (
        f"update {MARTS_SCHEMA}.mart_repeated_steps "
        "set redundant_step_count = redundant_step_count + 1"
    ),
    "assert_event_ledger_is_balanced": (
        f"update {AUDIT_SCHEMA}.audit_event_ledger set accepted_rows = accepted_rows - 1"
    ),
    "assert_few_words_are_unknown": (
        f"insert into {AUDIT_SCHEMA}.audit_unknown_words by name "
        "select 'fct_agent_runs' as table_name, 'turned_green' as word, 1 as row_count"
    ),
    "assert_event_ledger_equals_raw_tables": (
        "delete from rudderstack.ai_user_action where id = 'e9'"
    ),
    "assert_quarantined_events_equal_ledger": (
        f"delete from {AUDIT_SCHEMA}.audit_quarantined_events"
    ),
    "assert_accepted_events_and_runs_agree": (
        f"delete from {MARTS_SCHEMA}.fct_agent_runs where conversation_id = 'c1'"
    ),
    "assert_facts_keep_every_row": (
        f"insert into {MARTS_SCHEMA}.fct_agent_sessions from {MARTS_SCHEMA}.fct_agent_sessions"
    ),
    "assert_accepted_actions_and_steps_reach_their_facts": (
        f"delete from {MARTS_SCHEMA}.fct_agent_steps where step_number = 3"
    ),
    "assert_rollup_cost_equals_run_cost": (
        f"update {MARTS_SCHEMA}.fct_agent_runs set cost_usd = cost_usd * 100"
    ),
    "assert_lower_levels_add_up_to_runs": (
        f"update {MARTS_SCHEMA}.fct_agent_sessions set cost_usd = cost_usd * 100"
    ),
    "assert_steps_add_up_to_sessions": (
        f"update {MARTS_SCHEMA}.fct_agent_steps set duration_ms = duration_ms + 1"
    ),
    "assert_inclusive_cost_of_roots_is_all_cost": (
        f"update {MARTS_SCHEMA}.fct_agent_sessions set inclusive_cost_usd = 2 * inclusive_cost_usd"
    ),
    "assert_token_classes_add_up": (
        f"update {MARTS_SCHEMA}.fct_agent_steps set input_tokens = input_tokens + cache_read_tokens"
    ),
    "assert_token_class_costs_add_up": (
        f"update {MARTS_SCHEMA}.fct_agent_steps set input_cost_usd = input_cost_usd + 0.000000001"
    ),
    "assert_full_cost_is_its_parts": (
        f"update {MARTS_SCHEMA}.fct_agent_runs set full_cost_usd = full_cost_usd + 0.000000001"
    ),
    "assert_orchestrators_and_workers_are_all_sessions": (
        f"update {MARTS_SCHEMA}.fct_agent_runs set worker_cost_usd = 2 * worker_cost_usd"
    ),
    "assert_sessions_with_a_parent_were_handed_their_work": (
        f"update {MARTS_SCHEMA}.fct_agent_runs set handoff_count = 1 + handoff_count"
    ),
    "assert_orchestration_rollups_count_every_run": (
        f"update {MARTS_SCHEMA}.mart_orchestration set linear_run_count = linear_run_count + 1"
    ),
    "assert_paths_and_routes_are_all_runs_of_the_window": (
        f"insert into {MARTS_SCHEMA}.mart_paths from {MARTS_SCHEMA}.mart_paths"
    ),
    "assert_pairs_of_siblings_are_those_of_the_window": (
        f"update {MARTS_SCHEMA}.fct_agent_sessions set run_key = "
        f"(select min(run_key) from {MARTS_SCHEMA}.fct_agent_runs), session_number = case "
        "conversation_id when 'c1' then 1 else 2 end"
    ),
    "assert_unknown_cost_is_null_and_never_zero": (
        f"update {MARTS_SCHEMA}.fct_agent_steps set cost_usd = coalesce(cost_usd, 0)"
    ),
    "assert_session_time_parts_add_up": (
        f"update {MARTS_SCHEMA}.fct_agent_sessions set llm_ms = llm_ms + 1"
    ),
    "assert_latency_rollup_counts_every_session": (
        f"delete from {MARTS_SCHEMA}.fct_agent_sessions where conversation_id = 'c1'"
    ),
    "assert_agent_cost_equals_session_cost": (
        f"update {MARTS_SCHEMA}.mart_cost_by_agent set cost_usd = cost_usd * 100"
    ),
    "assert_bridge_effects_equal_change_of_cost": (
        f"update {MARTS_SCHEMA}.mart_cost_bridge set cost_usd = cost_usd + 0.000000001"
    ),
    "assert_monthly_cost_equals_run_cost": (
        f"delete from {MARTS_SCHEMA}.mart_cost_concentration where level = 'workflow'"
    ),
    "assert_units_and_steps_count_every_run": (
        "update analytics_intermediate.int_run_units_daily set n_all = n_all + 1 "
        "where unit = 'tool_call'"
    ),
    "assert_failure_rollup_counts_every_failure": (
        f"update {MARTS_SCHEMA}.fct_agent_steps set failure_mode = 'tool_exception'"
    ),
    "assert_rollups_of_days_count_every_run": (
        f"update {MARTS_SCHEMA}.fct_agent_runs set run_date = run_date - 1"
    ),
    "assert_rollups_of_days_count_every_step": (
        f"update {MARTS_SCHEMA}.fct_agent_steps set is_retried = true"
    ),
    "assert_dimensions_count_every_row": (
        f"delete from {MARTS_SCHEMA}.fct_agent_runs where conversation_id = 'c1'"
    ),
    "assert_advice_looks_at_every_run_of_its_window": (
        f"update {MARTS_SCHEMA}.fct_agent_runs set run_date = run_date - 365"
    ),
    "assert_response_and_session_match_once": (
        f"insert into {WORKING}.int_agent_responses_matched "
        f"from {WORKING}.int_agent_responses_matched"
    ),
    "assert_every_run_with_sessions_has_a_critical_path": (
        f"update {MARTS_SCHEMA}.fct_agent_sessions set is_on_critical_path = false"
    ),
    "assert_nothing_ends_before_it_starts": (
        f"update {MARTS_SCHEMA}.fct_agent_runs set ended_at = started_at - interval 1 second"
    ),
    "assert_every_failed_run_has_a_failure_mode": (
        f"update {MARTS_SCHEMA}.fct_agent_runs set run_status = 'error'"
    ),
    "assert_no_negative_price": (
        "update analytics_seeds.model_pricing set input_usd_per_million_tokens = -1"
    ),
    "assert_model_pricing_intervals_do_not_overlap": (
        "update analytics_seeds.model_pricing set valid_to = valid_from"
    ),
    "assert_tool_rates_do_not_overlap": (
        "insert into analytics_seeds.tool_rate_card from analytics_seeds.tool_rate_card"
    ),
    "assert_one_price_per_model_and_start": (
        "insert into analytics_seeds.model_pricing from analytics_seeds.model_pricing"
    ),
}


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory):
    """A copy of the project and a warehouse built with it, in which every named test passes."""
    folder = tmp_path_factory.mktemp("mutations")
    built = Warehouse(folder, copy_of_project(folder / "project"))
    built.fresh()
    other = story("second-", "c2")
    # one event that finds no place
    other["ai_user_prompt_created"].append(event("unplaced", 0, conversation_id="c2"))
    for table, rows in story().items():
        built.create(table, rows + other[table])
    result = built.dbt("run")
    assert result.success, errors_of(result)
    return built


def only_tests(result):
    """Results of tests: dbt also lists the hook that a run starts with."""
    return [node for node in result.result if node.node.resource_type in ("unit_test", "test")]


@pytest.mark.slow
def test_all_named_tests_pass_without_mistakes(warehouse):
    names = sorted({mutation.test for mutation in MUTATIONS})
    result = warehouse.dbt("test", "--select", *names)
    assert result.success, errors_of(result)
    assert {node.node.name for node in only_tests(result)} == set(names)


def test_every_mistake_can_be_made():
    """A mutation whose text its model no longer holds tests nothing: adapt it to the model."""
    lost = [
        (mutation.mistake, mutation.file)
        for mutation in MUTATIONS
        if (PROJECT_DIR / mutation.file).read_text(encoding="utf-8").count(mutation.old) != 1
    ]
    assert lost == []


@pytest.mark.slow
@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.mistake)
def test_mistake_turns_its_test_red(warehouse, mutation):
    path = warehouse.project / mutation.file
    right = path.read_text(encoding="utf-8")
    path.write_text(right.replace(mutation.old, mutation.new), encoding="utf-8")
    try:
        result = warehouse.dbt("test", "--select", mutation.test)
    finally:
        path.write_text(right, encoding="utf-8")
    assert failed_nodes(result) == {mutation.test}, "the mistake went unnoticed"
    # an error would only say that the mutated SQL does not run
    assert [str(node.status) for node in only_tests(result)] == ["fail"], errors_of(result)


@pytest.fixture(scope="module")
def integrity_tests(warehouse):
    """Compiled SQL of every integrity test by name."""
    result = warehouse.dbt("compile", "--select", "path:tests/integrity")
    assert result.success, result.exception
    return {node.node.name: node.node.compiled_code for node in result.result}


def test_every_integrity_test_has_a_corruption_that_it_must_see(integrity_tests):
    assert set(integrity_tests) == set(CORRUPTIONS)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_integrity_test_sees_corruption_and_nothing_without_it(warehouse, integrity_tests, name):
    with connect(warehouse.path) as connection:
        assert connection.execute(integrity_tests[name]).fetchall() == []
        connection.execute("begin")
        connection.execute(CORRUPTIONS[name])
        rows = connection.execute(integrity_tests[name]).fetchall()
        connection.execute("rollback")
    assert rows, f"{name} does not see: {CORRUPTIONS[name]}"
