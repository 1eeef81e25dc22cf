{{ config(daily_rollup('run_date')) }}
{%- set classes = token_classes() %}

with runs as (

    select
        run_key,
        run_date,
        coalesce(workflow_name, '(not set)') as workflow_label,
        is_final,
        price_status,
        cost_usd,
        last_event_at
    from {{ ref('fct_agent_runs') }}
    where {{ of_affected_days('run_date') }}

),

step_days as (

    {{ days_reached_by('runs', ref('fct_agent_steps'), 'step_date') }}

),

-- what was reported is spread over the classes as the list prices would have it
step_costs as (

    select
        run_key as run_key_of_step,
        agent_session_key,
        coalesce(agent_name, '(not set)') as agent_label,
        coalesce(step_type, '(none)') as step_label,
        coalesce(tool_name, canonical_model, model_name, '(none)') as model_or_tool,
        price_status,
        step_status,
        cost_usd,
        list_cost_usd,
        {%- for class in classes %}
        {{ class }}_tokens,
        {{ to_usd(
            'cast(cost_usd as ' ~ type_double() ~ ') * ' ~ ratio(class ~ '_cost_usd', 'list_cost_usd')
        ) }} as rounded_{{ class }}_usd,
        {%- endfor %}
        tool_cost_usd
    from {{ ref('fct_agent_steps') }}
    where step_date in (select step_days.step_date from step_days)

),

steps as (

    select
        run_key_of_step,
        agent_session_key,
        agent_label,
        step_label,
        model_or_tool,
        price_status,
        step_status,
        cost_usd,
        {%- for class in classes %}
        {{ class }}_tokens,
        {%- endfor %}
        {{ listed_by_class('rounded_', 'list_cost_usd != 0', 'cost_usd', 'spread_') }},
        tool_cost_usd
    from step_costs

),

session_steps as (

    select
        agent_session_key as stepped_session_key,
        {{ usd_sum('cost_usd') }} as steps_cost_usd
    from steps
    group by agent_session_key

),

session_days as (

    {{ days_reached_by('runs', ref('fct_agent_sessions'), 'session_date') }}

),

sessions as (

    select
        runs.run_key as run_key,
        runs.run_date,
        runs.workflow_label,
        coalesce(of_days.agent_name, '(not set)') as agent_label,
        of_days.session_status,
        of_days.price_status as price_status,
        of_days.infrastructure_cost_usd,
        {{ plausible_duration('of_days.duration_ms') }} as plausible_duration_ms,
        coalesce(of_days.cost_usd, session_steps.steps_cost_usd) as told_cost_usd,
        cast(of_days.cost_usd - coalesce(session_steps.steps_cost_usd, 0) as {{ type_usd() }}) as beyond_steps_usd
    from {{ ref('fct_agent_sessions') }} as of_days
    inner join runs on of_days.run_key = runs.run_key
    left join session_steps on of_days.agent_session_key = session_steps.stepped_session_key
    where of_days.session_date in (select session_days.session_date from session_days)

),

told_by_sessions as (

    select
        run_key as told_run_key,
        {{ usd_sum('told_cost_usd') }} as told_cost_usd
    from sessions
    group by run_key

),

sums_of_steps as (

    select
        runs.run_date,
        runs.workflow_label,
        steps.agent_label,
        steps.step_label,
        steps.model_or_tool,
        count(*) as row_count,
        {{ count_where('steps.cost_usd is not null or steps.tool_cost_usd is not null') }} as used_count,
        {{ count_where("steps.step_status = 'in_progress'") }} as unfinished_count,
        {{ count_where("steps.price_status = 'unpriced'") }} as unpriced_count,
        {{ count_where("steps.price_status = 'partial'") }} as partial_count,
        {%- for class in classes %}
        {{ usd_sum('steps.spread_' ~ class ~ '_cost_usd') }} as {{ class }}_cost_usd,
        {{ bigint_sum(
            'case when steps.spread_' ~ class ~ '_cost_usd is not null then steps.' ~ class ~ '_tokens end'
        ) }} as {{ class }}_tokens,
        {%- endfor %}
        {{ usd_sum('steps.tool_cost_usd') }} as tool_cost_usd,
        {{ count_where('steps.tool_cost_usd is not null') }} as tool_call_count,
        -- a cost that no list price explains
        cast(sum(
            steps.cost_usd
            {%- for class in classes %}
            - coalesce(steps.spread_{{ class }}_cost_usd, 0)
            {%- endfor %}
        ) as {{ type_usd() }}) as unexplained_cost_usd
    from steps
    inner join runs on steps.run_key_of_step = runs.run_key
    group by
        runs.run_date,
        runs.workflow_label,
        steps.agent_label,
        steps.step_label,
        steps.model_or_tool

),

sums_of_sessions as (

    select
        run_date,
        workflow_label,
        agent_label,
        count(*) as row_count,
        {{ count_where('told_cost_usd is not null or infrastructure_cost_usd is not null') }} as used_count,
        {{ count_where("session_status = 'in_progress'") }} as unfinished_count,
        {{ count_where("price_status = 'unpriced'") }} as unpriced_count,
        {{ count_where("price_status = 'partial'") }} as partial_count,
        {{ usd_sum('infrastructure_cost_usd') }} as infrastructure_cost_usd,
        {{ bigint_sum('case when infrastructure_cost_usd is not null then plausible_duration_ms end') }} as infrastructure_ms,
        {{ usd_sum('beyond_steps_usd') }} as unexplained_cost_usd
    from sessions
    group by
        run_date,
        workflow_label,
        agent_label

),

sums_of_runs as (

    select
        runs.run_date,
        runs.workflow_label,
        count(*) as row_count,
        {{ count_where('runs.cost_usd is not null') }} as used_count,
        {{ count_where('not runs.is_final') }} as unfinished_count,
        {{ count_where("runs.price_status = 'unpriced'") }} as unpriced_count,
        {{ count_where("runs.price_status = 'partial'") }} as partial_count,
        cast(sum(runs.cost_usd - coalesce(told_by_sessions.told_cost_usd, 0)) as {{ type_usd() }}) as unexplained_cost_usd
    from runs
    left join told_by_sessions on runs.run_key = told_by_sessions.told_run_key
    group by
        runs.run_date,
        runs.workflow_label

),

branches as (

    {%- for class in classes %}
    select
        run_date,
        workflow_label,
        agent_label,
        step_label,
        model_or_tool,
        '{{ class }}' as cost_component,
        row_count,
        used_count,
        unfinished_count,
        unpriced_count,
        partial_count,
        {{ class }}_cost_usd as cost_usd,
        cast({{ class }}_tokens as {{ type_double() }}) as quantity,
        'tokens' as quantity_unit
    from sums_of_steps
    where {{ class }}_cost_usd is not null

    union all
    {% endfor %}
    select
        run_date,
        workflow_label,
        agent_label,
        step_label,
        model_or_tool,
        'tool' as cost_component,
        row_count,
        used_count,
        unfinished_count,
        unpriced_count,
        partial_count,
        tool_cost_usd as cost_usd,
        cast(tool_call_count as {{ type_double() }}) as quantity,
        'calls' as quantity_unit
    from sums_of_steps
    where tool_cost_usd is not null

    union all

    select
        run_date,
        workflow_label,
        agent_label,
        step_label,
        model_or_tool,
        'unexplained' as cost_component,
        row_count,
        used_count,
        unfinished_count,
        unpriced_count,
        partial_count,
        unexplained_cost_usd as cost_usd,
        cast(null as {{ type_double() }}) as quantity,
        cast(null as {{ type_text() }}) as quantity_unit
    from sums_of_steps
    where unexplained_cost_usd != 0

    union all

    select
        run_date,
        workflow_label,
        agent_label,
        '(session)' as step_label,
        '(none)' as model_or_tool,
        'infrastructure' as cost_component,
        row_count,
        used_count,
        unfinished_count,
        unpriced_count,
        partial_count,
        infrastructure_cost_usd as cost_usd,
        infrastructure_ms / 1000.0 as quantity,
        'seconds' as quantity_unit
    from sums_of_sessions
    where infrastructure_cost_usd is not null

    union all

    select
        run_date,
        workflow_label,
        agent_label,
        '(session)' as step_label,
        '(none)' as model_or_tool,
        'unexplained' as cost_component,
        row_count,
        used_count,
        unfinished_count,
        unpriced_count,
        partial_count,
        unexplained_cost_usd as cost_usd,
        cast(null as {{ type_double() }}) as quantity,
        cast(null as {{ type_text() }}) as quantity_unit
    from sums_of_sessions
    where unexplained_cost_usd != 0

    union all

    select
        run_date,
        workflow_label,
        '(run)' as agent_label,
        '(run)' as step_label,
        '(none)' as model_or_tool,
        'unexplained' as cost_component,
        row_count,
        used_count,
        unfinished_count,
        unpriced_count,
        partial_count,
        unexplained_cost_usd as cost_usd,
        cast(null as {{ type_double() }}) as quantity,
        cast(null as {{ type_text() }}) as quantity_unit
    from sums_of_runs
    where unexplained_cost_usd != 0

)

select
    {{ rollup_key([
        'run_date', 'workflow_label', 'agent_label', 'step_label', 'model_or_tool', 'cost_component'
    ]) }} as cost_tree_key,
    run_date,
    workflow_label as workflow_name,
    agent_label as agent_name,
    step_label as step_type,
    model_or_tool,
    cost_component,

    -- what the figures rest on
    row_count as n_all,
    used_count as n_used,
    unfinished_count as n_unfinished,
    unpriced_count as n_unpriced,
    partial_count as n_partial,

    -- money
    cast(cost_usd as {{ type_usd() }}) as cost_usd,
    cast(cost_usd as {{ type_usd() }}) as known_cost_usd,
    cast(quantity as {{ type_double() }}) as quantity,
    quantity_unit
from branches
