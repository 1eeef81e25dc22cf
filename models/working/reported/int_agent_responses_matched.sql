{#- A response carries no session id but describes the same execution as a session completion. The
    n-th response of an agent in a run is matched with that agent's n-th session, capital letters or not;
    what is left over is matched in order, with the sessions that name no agent, or with all that are left
    when there are as many. One response per session, one session per response. -#}
with reported_sessions as (

    select * from {{ ref('int_agent_sessions_reported') }}

),

numbered_responses as (

    select
        event_id,
        event_key,
        run_key,
        conversation_id,
        interaction_id,
        {{ folded_name('agent_name') }} as agent_name,
        event_at,
        received_at,
        row_number() over (
            partition by run_key, {{ folded_name('agent_name') }} order by event_at, received_at nulls last, event_id
        ) as response_number,
        count(*) over (partition by run_key, {{ folded_name('agent_name') }}) as response_count
    from {{ ref('int_events_accepted') }}
    where source_table = 'ai_agent_response_received'

),

counted_sessions as (

    select
        agent_session_key,
        run_key,
        {{ folded_name('agent_name') }} as agent_name,
        agent_session_id,
        has_completed_event,
        coalesce(completed_event_at, last_event_at) as ended_at,
        count(*) over (partition by run_key, {{ folded_name('agent_name') }}) as session_count
    from reported_sessions

),

response_counts as (

    select distinct
        run_key,
        agent_name,
        response_count
    from numbered_responses

),

numbered_sessions as (

    select
        counted_sessions.agent_session_key as agent_session_key,
        counted_sessions.run_key as run_key,
        counted_sessions.agent_name as agent_name,
        counted_sessions.agent_session_id,
        counted_sessions.ended_at,
        row_number() over (
            partition by counted_sessions.run_key, counted_sessions.agent_name
            order by
                -- with fewer responses than sessions it is the unfinished ones that got none
                case
                    when
                        response_counts.response_count < counted_sessions.session_count
                        and not counted_sessions.has_completed_event
                        then 1
                    else 0
                end,
                counted_sessions.ended_at nulls last,
                counted_sessions.agent_session_id nulls last
        ) as session_number
    from counted_sessions
    inner join response_counts
        on
            counted_sessions.run_key = response_counts.run_key
            and counted_sessions.agent_name = response_counts.agent_name

),

matched_by_agent as (

    select
        numbered_responses.event_key as event_key,
        numbered_sessions.agent_session_key
    from numbered_responses
    inner join numbered_sessions
        on
            numbered_responses.run_key = numbered_sessions.run_key
            and numbered_responses.agent_name = numbered_sessions.agent_name
            and numbered_responses.response_number = numbered_sessions.session_number

),

left_over_responses as (

    select
        numbered_responses.event_key as event_key,
        numbered_responses.run_key,
        row_number() over (
            partition by numbered_responses.run_key
            order by
                numbered_responses.event_at,
                numbered_responses.received_at nulls last,
                numbered_responses.event_id
        ) as response_number,
        count(*) over (partition by numbered_responses.run_key) as response_count
    from numbered_responses
    left join matched_by_agent on numbered_responses.event_key = matched_by_agent.event_key
    where matched_by_agent.event_key is null

),

left_over_sessions as (

    select
        counted_sessions.agent_session_key as agent_session_key,
        counted_sessions.run_key as run_key,
        counted_sessions.agent_name = '' as is_nameless,
        row_number() over (
            partition by counted_sessions.run_key
            order by counted_sessions.ended_at nulls last, counted_sessions.agent_session_id nulls last
        ) as session_number,
        row_number() over (
            partition by counted_sessions.run_key, counted_sessions.agent_name = ''
            order by counted_sessions.ended_at nulls last, counted_sessions.agent_session_id nulls last
        ) as number_among_nameless,
        count(*) over (partition by counted_sessions.run_key) as session_count
    from counted_sessions
    left join matched_by_agent
        on counted_sessions.agent_session_key = matched_by_agent.agent_session_key
    where matched_by_agent.agent_session_key is null

),

matched_by_order as (

    select
        left_over_responses.event_key,
        left_over_sessions.agent_session_key
    from left_over_responses
    inner join left_over_sessions
        on
            left_over_responses.run_key = left_over_sessions.run_key
            and left_over_responses.response_number = case
                when left_over_responses.response_count = left_over_sessions.session_count
                    then left_over_sessions.session_number
                when left_over_sessions.is_nameless then left_over_sessions.number_among_nameless
            end

),

matched as (

    select
        event_key,
        agent_session_key,
        'agent_and_order' as match_method
    from matched_by_agent

    union all

    select
        event_key,
        agent_session_key,
        'order' as match_method
    from matched_by_order

)

select
    numbered_responses.event_key as event_key,
    coalesce(
        matched.agent_session_key,
        {{ agent_session_key(
            'numbered_responses.conversation_id', 'numbered_responses.interaction_id',
            "'response:' || numbered_responses.event_id"
        ) }}
    ) as agent_session_key,
    matched.match_method,
    matched.agent_session_key is not null as is_matched
from numbered_responses
left join matched on numbered_responses.event_key = matched.event_key
