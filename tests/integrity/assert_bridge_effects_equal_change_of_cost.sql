with sessions as (

    select
        cast({{ dbt.date_trunc('month', 'session_date') }} as date) as month_start_date,
        {{ usd_sum('cost_usd') }} as cost_usd
    from {{ ref('fct_agent_sessions') }}
    group by cast({{ dbt.date_trunc('month', 'session_date') }} as date)

),

effects as (

    select
        month_start_date,
        {{ usd_sum('cost_usd') }} as cost_usd,
        {{ usd_sum('previous_cost_usd') }} as previous_cost_usd,
        -- as money each: Spark takes a decimal place from sums of sums, which have 38 digits
        {{ usd_sum('volume_effect_usd') }}
        + {{ usd_sum('mix_effect_usd') }}
        + {{ usd_sum('intensity_effect_usd') }}
        + {{ usd_sum('price_effect_usd') }} as effects_usd
    from {{ ref('mart_cost_bridge') }}
    group by month_start_date

)

select
    effects.month_start_date as bridge_month,
    sessions.month_start_date as fact_month,
    effects.cost_usd as bridge_cost_usd,
    sessions.cost_usd as fact_cost_usd,
    effects.effects_usd
from effects
full outer join sessions on effects.month_start_date = sessions.month_start_date
left join sessions as sessions_before
    on sessions_before.month_start_date = cast({{ dbt.dateadd('month', -1, 'effects.month_start_date') }} as date)
where
    -- a month between two others may be empty
    coalesce(effects.cost_usd, 0) != coalesce(sessions.cost_usd, 0)
    or coalesce(effects.previous_cost_usd, 0) != coalesce(sessions_before.cost_usd, 0)
    or effects.effects_usd != coalesce(sessions.cost_usd, 0) - coalesce(sessions_before.cost_usd, 0)
