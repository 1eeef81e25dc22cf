{#- A percentile over the whole life of a version cannot be put together from days, so a few columns of all sessions that name a version are
    read in every build. -#}
with sessions as (

    select
        coalesce(agent_name, '(not set)') as agent_label,
        agent_version,
        started_at,
        ended_at,
        session_status,
        is_successful,
        {{ plausible_duration('duration_ms') }} as plausible_duration_ms,
        price_status,
        cost_usd,
        known_cost_usd,
        session_status != 'in_progress' and cost_usd is not null as is_costed
    from {{ ref('fct_agent_sessions') }}
    where agent_version is not null

),

versions as (

    select
        agent_label,
        agent_version,
        {{ disclosed_counts('is_successful is not null', "session_status = 'in_progress'") }},
        min(coalesce(started_at, ended_at)) as first_seen_at,
        max(coalesce(ended_at, started_at)) as last_seen_at,
        {{ count_where('is_successful') }} as successful_session_count,
        {{ count_where('is_costed') }} as costed_session_count,
        {{ usd_sum('cost_usd') }} as cost_usd,
        {{ usd_sum('known_cost_usd') }} as known_cost_usd,
        {{ to_usd(ratio('sum(case when is_costed then cost_usd end)', count_where('is_costed'))) }} as cost_per_session_usd,
        cast({{ percentile('plausible_duration_ms', 0.95) }} as {{ type_double() }}) as p95_duration_ms
    from sessions
    group by
        agent_label,
        agent_version

)

select
    {{ rollup_key(['agent_label', 'agent_version']) }} as agent_versions_key,
    agent_label as agent_name,
    agent_version,
    first_seen_at,
    last_seen_at,

    -- what the figures rest on
    n_all,
    n_used,
    n_unfinished,
    n_unpriced,
    n_partial,

    -- outcomes
    n_all as session_count,
    successful_session_count,
    {{ ratio('successful_session_count', 'n_used') }} as success_rate,
    {{ wilson_low('successful_session_count', 'n_used') }} as success_rate_low,
    {{ wilson_high('successful_session_count', 'n_used') }} as success_rate_high,
    {{ is_small_sample('n_used') }} as is_small_sample,

    -- money and time
    costed_session_count,
    cost_usd,
    known_cost_usd,
    cost_per_session_usd,
    p95_duration_ms
from versions
