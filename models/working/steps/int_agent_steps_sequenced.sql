{#- A table of its own and narrow: sorted together with the other columns of five million steps, or
    in one statement with joining them, it would not fit into memory and take three times as long. -#}
{%- set session_order -%}
    partition by agent_session_key
            order by
                explicit_step_number nulls last, ended_at nulls last, original_timestamp nulls last,
                received_at nulls last, loaded_at nulls last, step_id
{%- endset -%}

{{ with_recursive() }} steps as (

    select * from {{ ref('int_agent_steps_accepted') }}

),

sessions as (

    select * from {{ ref('int_agent_sessions_assembled') }}

),

sortable as (

    select
        steps.event_key,
        steps.agent_session_key as agent_session_key,
        steps.started_at as started_at,
        steps.ended_at as ended_at,
        steps.original_timestamp,
        steps.received_at,
        steps.loaded_at,
        steps.step_id,
        steps.step_type,
        steps.sent_attempt_number,
        steps.step_status in ('error', 'timeout') as is_failed,
        coalesce(steps.tool_name, steps.sent_model_name, sessions.model_name, '') as step_target,
        case when sessions.has_step_index then steps.step_index end as explicit_step_number
    from steps
    left join sessions on steps.agent_session_key = sessions.agent_session_key

),

neighbours as (

    select
        event_key,
        agent_session_key,
        explicit_step_number,
        sent_attempt_number,
        is_failed,
        step_type,
        step_target,
        started_at,
        ended_at,
        cast(row_number() over ({{ session_order }}) as {{ dbt.type_bigint() }}) as step_position,
        lag({{ nullable('is_failed') }}) over ({{ session_order }}) as previous_is_failed,
        lag({{ nullable('step_type') }}) over ({{ session_order }}) as previous_step_type,
        lag({{ nullable('step_target') }}) over ({{ session_order }}) as previous_step_target,
        lag({{ nullable('ended_at') }}) over ({{ session_order }}) as previous_ended_at,
        lead({{ nullable('step_type') }}) over ({{ session_order }}) as next_step_type,
        lead({{ nullable('step_target') }}) over ({{ session_order }}) as next_step_target,
        lead({{ nullable('started_at') }}) over ({{ session_order }}) as next_started_at,
        lead({{ nullable('sent_attempt_number') }}) over ({{ session_order }}) as next_sent_attempt_number,
        min(sent_attempt_number) over (partition by agent_session_key) as least_attempt_number
    from sortable

),

attempts as (

    select
        event_key,
        agent_session_key,
        step_position,
        step_type,
        step_target,
        coalesce(explicit_step_number, step_position) as step_number,
        -- some count from 0
        sent_attempt_number + case when least_attempt_number = 0 then 1 else 0 end as explicit_attempt_number,
        -- a step that started before the failed one had ended ran beside it
        coalesce(
            sent_attempt_number is null
            and previous_is_failed
            and previous_step_type = step_type
            and previous_step_target = step_target
            and coalesce(started_at >= previous_ended_at, true),
            false
        ) as is_repetition,
        -- the same question, asked of the next step
        coalesce(
            next_sent_attempt_number is null
            and is_failed
            and next_step_type = step_type
            and next_step_target = step_target
            and coalesce(next_started_at >= ended_at, true),
            false
        ) as is_repeated,
        coalesce(
            previous_is_failed
            and previous_step_type = step_type
            and previous_step_target != step_target
            and previous_step_target != ''
            and step_target != ''
            and coalesce(started_at >= previous_ended_at, true),
            false
        ) as is_fallback
    from neighbours

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
