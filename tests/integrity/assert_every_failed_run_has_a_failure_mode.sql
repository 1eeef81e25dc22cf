-- Failed runs are classified, if only as unclassified; runs without severity have no mode.
select
    run_key,
    run_status,
    failure_severity,
    failure_mode,
    failure_category
from {{ ref('fct_agent_runs') }}
where
    {{ of_tested_days('run_date', ['fct_agent_runs']) }}
    and (
        (run_status in ('error', 'timeout') and (failure_severity != 'hard' or failure_mode is null or failure_category is null))
        or (run_status = 'cancelled' and failure_severity != 'cancelled')
        or (failure_severity in ('none', 'recovered') and failure_mode is not null)
    )
