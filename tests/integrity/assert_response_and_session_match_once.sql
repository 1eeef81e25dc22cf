-- Two responses on one session, or one response on two, would double its cost.
with responses as (

    select
        cast(event_key as {{ type_text() }}) as event_key,
        agent_session_key
    from {{ ref('int_agent_responses_matched') }}

),

repeated as (

    select
        'response' as grain,
        event_key as repeated_key
    from responses
    group by event_key
    having count(*) > 1

    union all

    select
        'session' as grain,
        cast(agent_session_key as {{ type_text() }}) as repeated_key
    from responses
    group by agent_session_key
    having count(*) > 1

)

select * from repeated
