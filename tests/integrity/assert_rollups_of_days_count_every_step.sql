-- Each step, operation, tool call and model call of a day is counted once.
with expected as (

    select
        step_date,
        count(*) as attempt_count,
        count(distinct case when not is_retried then operation_key end) as operation_count,
        count(tool_name) as tool_call_count,
        count(case when step_type = 'llm_call' then 1 when total_tokens is not null then 1 end) as model_call_count
    from {{ ref('fct_agent_steps') }}
    where {{ of_tested_days('step_date', ['fct_agent_steps']) }}
    group by step_date

),

rollup_rows as (

    select
        step_date,
        attempt_count,
        operation_count,
        0 as tool_call_count,
        0 as model_call_count
    from {{ ref('mart_retry_rates') }}

    union all

    select
        step_date,
        0 as attempt_count,
        0 as operation_count,
        call_count as tool_call_count,
        0 as model_call_count
    from {{ ref('mart_tool_performance') }}

    union all

    select
        step_date,
        0 as attempt_count,
        0 as operation_count,
        0 as tool_call_count,
        call_count as model_call_count
    from {{ ref('mart_model_performance') }}

),

rollups as (

    select
        step_date,
        sum(attempt_count) as attempt_count,
        sum(operation_count) as operation_count,
        sum(tool_call_count) as tool_call_count,
        sum(model_call_count) as model_call_count
    from rollup_rows
    where {{ of_tested_days('step_date', ['fct_agent_steps']) }}
    group by step_date

)

select
    expected.step_date as fact_date,
    rollups.step_date as rollup_date
from expected
full outer join rollups on expected.step_date = rollups.step_date
where
    {{ differs('expected.attempt_count', 'rollups.attempt_count') }}
    or expected.operation_count != rollups.operation_count
    or expected.tool_call_count != rollups.tool_call_count
    or expected.model_call_count != rollups.model_call_count
