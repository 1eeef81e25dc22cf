with sessions as (

    select
        cast({{ dbt.date_trunc('month', 'session_date') }} as date) as month_start_date,
        workflow_name,
        agent_name,
        canonical_model,
        {{ summed_counts() }},
        {{ usd_sum('coalesce(cost_usd, 0)') }} as cost_usd,
        {{ usd_sum('known_cost_usd') }} as known_cost_usd,
        {{ bigint_sum('coalesce(total_tokens, 0)') }} as total_tokens
    from {{ ref('int_agent_sessions_daily') }}
    group by
        cast({{ dbt.date_trunc('month', 'session_date') }} as date),
        workflow_name,
        agent_name,
        canonical_model

),

analysis_window as (

    select * from {{ ref('int_analysis_window') }}

),

-- the month before the first one is unknown, not empty
months as (

    select
        min(month_start_date) as first_month_start_date,
        max(month_start_date) as last_month_start_date
    from sessions

),

-- each group in its own month and, as what it was before, in the month after
both_months as (

    select
        month_start_date,
        workflow_name,
        agent_name,
        canonical_model,
        cost_usd,
        known_cost_usd,
        total_tokens,
        n_all,
        n_used,
        n_unfinished,
        n_unpriced,
        n_partial,
        0 as previous_n_used,
        cast(0 as {{ type_usd() }}) as previous_cost_usd,
        0 as previous_total_tokens
    from sessions

    union all

    select
        cast({{ dbt.dateadd('month', 1, 'month_start_date') }} as date) as month_start_date,
        workflow_name,
        agent_name,
        canonical_model,
        cast(0 as {{ type_usd() }}) as cost_usd,
        cast(null as {{ type_usd() }}) as known_cost_usd,
        0 as total_tokens,
        0 as n_all,
        0 as n_used,
        0 as n_unfinished,
        0 as n_unpriced,
        0 as n_partial,
        n_used as previous_n_used,
        cost_usd as previous_cost_usd,
        total_tokens as previous_total_tokens
    from sessions

),

compared as (

    select
        month_start_date,
        workflow_name,
        agent_name,
        canonical_model,
        {{ summed_counts() }},
        {{ usd_sum('cost_usd') }} as cost_usd,
        {{ usd_sum('known_cost_usd') }} as known_cost_usd,
        {{ bigint_sum('total_tokens') }} as total_tokens,
        {{ bigint_sum('previous_n_used') }} as previous_n_used,
        {{ usd_sum('previous_cost_usd') }} as previous_cost_usd,
        {{ bigint_sum('previous_total_tokens') }} as previous_total_tokens
    from both_months
    group by
        month_start_date,
        workflow_name,
        agent_name,
        canonical_model

),

with_all as (

    select
        compared.*,
        cast(sum(compared.n_used) over (partition by compared.month_start_date) as {{ type_double() }}) as all_n_used,
        cast(sum(compared.previous_n_used) over (partition by compared.month_start_date) as {{ type_double() }}) as all_previous_n_used,
        compared.month_start_date = months.first_month_start_date as is_first_month,
        compared.n_used > 0 and compared.previous_n_used > 0 as is_in_both,
        -- where one month counted no tokens, the session is the unit of both
        compared.n_used > 0 and compared.total_tokens = 0
        or compared.previous_n_used > 0 and compared.previous_total_tokens = 0 as is_without_tokens
    from compared
    cross join months
    where
        compared.month_start_date <= months.last_month_start_date
        -- what had no cost the month before has not gone
        and (compared.n_all > 0 or compared.previous_n_used > 0)

),

-- shares of the sessions (s), units of each (u), and what a session cost before
factors as (

    select
        *,
        {{ ratio('n_used', 'all_n_used') }} as s1,
        {{ ratio('previous_n_used', 'all_previous_n_used') }} as s0,
        case when is_without_tokens then 1.0 else {{ ratio('total_tokens', 'n_used') }} end as u1,
        case when is_without_tokens then 1.0 else {{ ratio('previous_total_tokens', 'previous_n_used') }} end as u0,
        {{ ratio('previous_cost_usd', 'previous_n_used') }} as previous_cost_per_session
    from with_all

),

effects as (

    select
        *,
        cast(
            case
                -- after a month without a session all is volume
                when all_previous_n_used = 0 then cost_usd
                when previous_n_used = 0 then 0
                else {{ to_usd('(all_n_used - all_previous_n_used) * s0 * previous_cost_per_session') }}
            end as {{ type_usd() }}
        ) as volume_effect_usd,
        cast(
            case
                when is_in_both then {{ to_usd('coalesce(all_n_used * (s1 - s0) * previous_cost_per_session, 0)') }}
            end as {{ type_usd() }}
        ) as mix_of_both_usd,
        cast(
            case
                when is_in_both then {{ to_usd('n_used * (u1 - u0) * previous_cost_per_session / u0') }} else 0
            end as {{ type_usd() }}
        ) as intensity_effect_usd
    from factors

),

-- what rounding leaves goes to the last effect that a group has, so that its effects are its difference to the last decimal
balanced as (

    select
        *,
        cast(
            coalesce(mix_of_both_usd, cost_usd - previous_cost_usd - volume_effect_usd) as {{ type_usd() }}
        ) as mix_effect_usd,
        cast(
            case
                when is_in_both
                    then cost_usd - previous_cost_usd - volume_effect_usd - mix_of_both_usd - intensity_effect_usd
                else 0
            end as {{ type_usd() }}
        ) as price_effect_usd
    from effects

)

select
    {{ rollup_key(['balanced.month_start_date', 'balanced.workflow_name', 'balanced.agent_name', 'balanced.canonical_model']) }}
        as cost_bridge_key,
    balanced.month_start_date as month_start_date,
    balanced.workflow_name,
    balanced.agent_name,
    balanced.canonical_model,
    -- the newest event lies on or after the last day of the month
    analysis_window.window_end_date >= cast(
        {{ dbt.dateadd('day', -1, dbt.dateadd('month', 1, 'balanced.month_start_date')) }} as date
    ) as is_month_complete,

    -- what the figures rest on
    balanced.n_all,
    balanced.n_used,
    balanced.n_unfinished,
    balanced.n_unpriced,
    balanced.n_partial,
    balanced.previous_n_used,

    -- money
    cast(case when not balanced.is_first_month then balanced.previous_cost_usd end as {{ type_usd() }}) as previous_cost_usd,
    cast(case when balanced.n_used > 0 or balanced.n_all = 0 then balanced.cost_usd end as {{ type_usd() }}) as cost_usd,
    cast(case when balanced.n_all = 0 then 0 else balanced.known_cost_usd end as {{ type_usd() }}) as known_cost_usd,
    cast(case when not balanced.is_first_month then balanced.volume_effect_usd end as {{ type_usd() }}) as volume_effect_usd,
    cast(case when not balanced.is_first_month then balanced.mix_effect_usd end as {{ type_usd() }}) as mix_effect_usd,
    cast(case when not balanced.is_first_month then balanced.intensity_effect_usd end as {{ type_usd() }}) as intensity_effect_usd,
    cast(case when not balanced.is_first_month then balanced.price_effect_usd end as {{ type_usd() }}) as price_effect_usd,

    -- usage
    balanced.previous_total_tokens,
    balanced.total_tokens
from balanced
cross join analysis_window
