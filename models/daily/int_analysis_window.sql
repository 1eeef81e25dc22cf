with newest as (

    {{ newest_event_at() }}

),

newest_day as (

    select {{ reporting_date('newest_event_at') }} as window_end_date
    from newest
    where newest_event_at is not null

)

select
    window_end_date,
    cast({{ dbt.dateadd('day', 1 - whole_number_setting('analysis_window_days'), 'window_end_date') }} as date) as window_start_date
from newest_day
