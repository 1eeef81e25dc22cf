{#- What it reads again and again is a table: Spark and ClickHouse put a table expression in wherever it is
    named, here more than twenty times. -#}
{{ with_recursive() }} attempts as (

    select * from {{ ref('int_agent_steps_numbered') }}

),

sessions_with_repetitions as (

    select distinct agent_session_key
    from attempts
    where is_repetition

),

-- repetitions follow without a gap what they repeat
repetitions as (

    select
        attempts.event_key as event_key,
        max(case when not attempts.is_repetition then attempts.step_position end) over (
            partition by attempts.agent_session_key
            order by attempts.step_position
            rows between unbounded preceding and current row
        ) as first_position
    from attempts
    inner join sessions_with_repetitions
        on attempts.agent_session_key = sessions_with_repetitions.agent_session_key

),

sessions_with_numbers as (

    select distinct agent_session_key
    from attempts
    where explicit_attempt_number > 1

),

-- Attempt n looks for the latest attempt n-1 of the same tool or model that no other has taken: as a
-- closing bracket looks for its opening one. Every step opens the pair to come and closes the one before.
brackets as (

    select
        attempts.agent_session_key as agent_session_key,
        attempts.step_type,
        attempts.step_target,
        attempts.step_position,
        attempts.explicit_attempt_number + 1 as closing_number,
        1 as opened
    from attempts
    inner join sessions_with_numbers on attempts.agent_session_key = sessions_with_numbers.agent_session_key
    where attempts.explicit_attempt_number is not null

    union all

    select
        agent_session_key,
        step_type,
        step_target,
        step_position,
        explicit_attempt_number as closing_number,
        -1 as opened
    from attempts
    where explicit_attempt_number > 1

),

balanced as (

    select
        *,
        sum(opened) over (
            partition by agent_session_key, step_type, step_target, closing_number order by step_position
        ) as balance
    from brackets

),

-- closing brackets without an opening one press the balance down for good
pressed as (

    select
        *,
        least(0, coalesce(min(balance) over (
            partition by agent_session_key, step_type, step_target, closing_number
            order by step_position
            rows between unbounded preceding and 1 preceding
        ), 0)) as least_balance
    from balanced

),

levelled as (

    select
        *,
        balance - least_balance + case when opened = 1 then 0 else 1 end as bracket_level
    from pressed
    where
        opened = 1
        or balance >= least_balance

),

paired as (

    select
        agent_session_key,
        step_position,
        opened,
        lag({{ nullable('step_position') }}) over (
            partition by agent_session_key, step_type, step_target, closing_number, bracket_level order by step_position
        ) as previous_attempt_position
    from levelled

),

numbered_attempts as (

    select
        agent_session_key,
        previous_attempt_position,
        step_position
    from paired
    where opened = -1

),

links as (

    select
        pairs.agent_session_key as lookup_group,
        pairs.previous_attempt_position as node,
        pairs.step_position as next_node,
        earlier.step_position is null as is_start
    from numbered_attempts as pairs
    left join numbered_attempts as earlier
        on
            pairs.agent_session_key = earlier.agent_session_key
            and pairs.previous_attempt_position = earlier.step_position

),

{{ recursive_lookup('links_followed', 'links') }},

numbered_operations as (

    select
        lookup_group as agent_session_key,
        node as step_position,
        start_node as operation_position
    from links_followed

),

placed as (

    select
        attempts.event_key as event_key,
        attempts.agent_session_key as agent_session_key,
        attempts.step_number,
        attempts.step_position as step_position,
        attempts.explicit_attempt_number,
        attempts.is_repetition,
        attempts.is_repeated,
        attempts.is_fallback,
        case
            -- a session that begins with a retry lost the attempt before it
            when attempts.is_repetition then coalesce(repetitions.first_position, 1)
            else attempts.step_position
        end as first_position
    from attempts
    left join repetitions on attempts.event_key = repetitions.event_key

),

numbered_firsts as (

    select
        agent_session_key as first_session_key,
        step_position as first_of_position,
        explicit_attempt_number as first_attempt_number
    from attempts
    where explicit_attempt_number > 1

)

select
    placed.event_key as event_key,
    placed.step_number,
    coalesce(
        placed.explicit_attempt_number,
        coalesce(numbered_firsts.first_attempt_number, 1) + placed.step_position - placed.first_position
    ) as attempt_number,
    coalesce(numbered_operations.operation_position, placed.first_position) as operation_position,
    placed.is_repetition or coalesce(placed.explicit_attempt_number > 1, false) as is_retry,
    placed.is_repeated or links.node is not null as is_retried,
    placed.is_fallback
from placed
left join numbered_operations
    on
        placed.agent_session_key = numbered_operations.agent_session_key
        and placed.first_position = numbered_operations.step_position
left join numbered_firsts
    on
        placed.agent_session_key = numbered_firsts.first_session_key
        and placed.first_position = numbered_firsts.first_of_position
left join links
    on
        placed.agent_session_key = links.lookup_group
        and placed.step_position = links.node
