with runs as (

    select
        run_date,
        coalesce(sum(redundant_step_count), 0) as redundant_step_count
    from {{ ref('fct_agent_runs') }}
    where {{ of_tested_days('run_date', ['fct_agent_runs']) }}
    group by run_date

),

repetitions as (

    select
        run_date,
        sum(redundant_step_count) as redundant_step_count
    from {{ ref('mart_repeated_steps') }}
    where {{ of_tested_days('run_date', ['fct_agent_runs']) }}
    group by run_date

)

select
    runs.run_date as run_date,
    runs.redundant_step_count as run_count,
    repetitions.redundant_step_count as mart_count
from runs
left join repetitions on runs.run_date = repetitions.run_date
where runs.redundant_step_count != coalesce(repetitions.redundant_step_count, 0)
