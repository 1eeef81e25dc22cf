with runs as (

    select
        run_date,
        count(*) as run_count,
        coalesce(sum(cost_usd), 0) as cost_usd,
        coalesce(sum(reported_cost_usd), 0) as reported_cost_usd,
        coalesce(sum(list_cost_usd), 0) as list_cost_usd,
        coalesce(sum(wasted_cost_usd), 0) as wasted_cost_usd,
        coalesce(sum(input_tokens), 0) as input_tokens,
        coalesce(sum(output_tokens), 0) as output_tokens,
        coalesce(sum(cache_read_tokens), 0) as cache_read_tokens,
        coalesce(sum(cache_write_tokens), 0) as cache_write_tokens,
        coalesce(sum(total_tokens), 0) as total_tokens
    from {{ ref('fct_agent_runs') }}
    where {{ of_tested_days('run_date', ['fct_agent_runs']) }}
    group by run_date

),

rollup_rows as (

    select
        run_date,
        sum(n_all) as run_count,
        coalesce(sum(cost_usd), 0) as cost_usd,
        coalesce(sum(reported_cost_usd), 0) as reported_cost_usd,
        coalesce(sum(list_cost_usd), 0) as list_cost_usd,
        coalesce(sum(wasted_cost_usd), 0) as wasted_cost_usd,
        coalesce(sum(input_tokens), 0) as input_tokens,
        coalesce(sum(output_tokens), 0) as output_tokens,
        coalesce(sum(cache_read_tokens), 0) as cache_read_tokens,
        coalesce(sum(cache_write_tokens), 0) as cache_write_tokens,
        coalesce(sum(total_tokens), 0) as total_tokens
    from {{ ref('mart_cost_per_interaction') }}
    where {{ of_tested_days('run_date', ['fct_agent_runs']) }}
    group by run_date

)

select
    runs.run_date as fact_date,
    rollup_rows.run_date as rollup_date,
    runs.run_count as fact_count,
    rollup_rows.run_count as rollup_count,
    runs.cost_usd as fact_cost_usd,
    rollup_rows.cost_usd as rollup_cost_usd
from runs
full outer join rollup_rows on runs.run_date = rollup_rows.run_date
where
    runs.run_date is null
    or rollup_rows.run_date is null
    or runs.run_count != rollup_rows.run_count
    or runs.cost_usd != rollup_rows.cost_usd
    or runs.reported_cost_usd != rollup_rows.reported_cost_usd
    or runs.list_cost_usd != rollup_rows.list_cost_usd
    or runs.wasted_cost_usd != rollup_rows.wasted_cost_usd
    or runs.input_tokens != rollup_rows.input_tokens
    or runs.output_tokens != rollup_rows.output_tokens
    or runs.cache_read_tokens != rollup_rows.cache_read_tokens
    or runs.cache_write_tokens != rollup_rows.cache_write_tokens
    or runs.total_tokens != rollup_rows.total_tokens
