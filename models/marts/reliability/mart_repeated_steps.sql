{{ config(daily_rollup('run_date')) }}

with runs as (

    select
        run_key,
        run_date,
        coalesce(workflow_name, '(not set)') as workflow_label,
        last_event_at
    from {{ ref('fct_agent_runs') }}
    where {{ of_affected_days('run_date') }}

),

step_days as (

    {{ days_reached_by('runs', ref('fct_agent_steps'), 'step_date') }}

),

steps as (

    select
        step_key,
        run_key as run_key_of_step,
        coalesce(agent_name, '(not set)') as agent_label,
        coalesce(step_type, '(none)') as step_label,
        coalesce(tool_name, '(none)') as tool_label,
        -- an attempt at the same operation is no repetition of the work
        case when not is_retry then signature_hash end as signature_hash,
        step_status,
        ended_at,
        {{ plausible_duration('duration_ms') }} as plausible_duration_ms,
        price_status,
        cost_usd,
        known_cost_usd
    from {{ ref('fct_agent_steps') }}
    where step_date in (select step_days.step_date from step_days)

),

numbered as (

    select
        runs.run_key,
        runs.run_date,
        runs.workflow_label,
        steps.agent_label,
        steps.step_label,
        steps.tool_label,
        steps.signature_hash,
        steps.step_status,
        steps.plausible_duration_ms,
        steps.price_status,
        steps.cost_usd,
        steps.known_cost_usd,
        case
            when steps.signature_hash is not null then row_number() over (
                partition by runs.run_key, steps.signature_hash
                order by steps.ended_at nulls last, {{ key_order('steps.step_key') }}
            )
        end as occurrence_number
    from runs
    inner join steps on runs.run_key = steps.run_key_of_step

),

signatures as (

    select
        run_key,
        run_date,
        workflow_label,
        agent_label,
        step_label,
        tool_label,
        signature_hash,
        count(*) as step_count,
        {{ count_where("step_status = 'in_progress'") }} as unfinished_count,
        {{ count_where("price_status = 'unpriced'") }} as unpriced_count,
        {{ count_where("price_status = 'partial'") }} as partial_count,
        max(occurrence_number) as occurrence_count,
        {{ bigint_sum('case when occurrence_number > 1 then plausible_duration_ms end') }} as redundant_ms,
        {{ usd_sum('case when occurrence_number > 1 then cost_usd end') }} as redundant_cost_usd,
        {{ usd_sum('case when occurrence_number > 1 then known_cost_usd end') }} as known_redundant_cost_usd
    from numbered
    group by
        run_key,
        run_date,
        workflow_label,
        agent_label,
        step_label,
        tool_label,
        signature_hash

)

select
    {{ rollup_key(['run_date', 'workflow_label', 'agent_label', 'step_label', 'tool_label']) }} as repeated_steps_key,
    run_date,
    workflow_label as workflow_name,
    agent_label as agent_name,
    step_label as step_type,
    tool_label as tool_name,

    -- what the figures rest on
    {{ bigint_sum('step_count') }} as n_all,
    {{ bigint_sum('coalesce(occurrence_count, 0)') }} as n_used,
    {{ bigint_sum('unfinished_count') }} as n_unfinished,
    {{ bigint_sum('unpriced_count') }} as n_unpriced,
    {{ bigint_sum('partial_count') }} as n_partial,

    -- what was done again
    {{ count_where('occurrence_count > 1') }} as repeated_signature_count,
    {{ bigint_sum('case when occurrence_count > 1 then occurrence_count - 1 else 0 end') }} as redundant_step_count,
    {{ bigint_sum('redundant_ms') }} as redundant_ms,
    {{ usd_sum('redundant_cost_usd') }} as redundant_cost_usd,
    {{ usd_sum('known_redundant_cost_usd') }} as known_redundant_cost_usd,
    cast(count(distinct case when occurrence_count >= 5 then run_key end) as {{ dbt.type_bigint() }}) as loop_run_count,
    cast(max(occurrence_count) as {{ dbt.type_bigint() }}) as max_repeats
from signatures
group by
    run_date,
    workflow_label,
    agent_label,
    step_label,
    tool_label
