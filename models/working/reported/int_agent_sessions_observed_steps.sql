with steps as (

    select * from {{ ref('int_agent_steps_accepted') }}

),

observed as (

    select
        agent_session_key,
        -- what the key is made of is the same in all rows
        {{ dbt.any_value('run_key') }} as run_key,
        {{ dbt.any_value('conversation_id') }} as conversation_id,
        {{ dbt.any_value('interaction_id') }} as interaction_id,
        {{ dbt.any_value('agent_session_id') }} as agent_session_id,
        min(sent_parent_agent_session_id) as sent_parent_agent_session_id,
        min(parent_interaction_id) as parent_interaction_id,
        min(user_id) as user_id,
        min(anonymous_id) as anonymous_id,
        min(source_id) as source_id,
        min(workflow_name) as workflow_name,
        min(environment) as environment,
        min(trigger_type) as trigger_type,
        min(execution_mode) as execution_mode,
        min(plan_name) as plan_name,
        {%- for column in passthrough_columns() %}
        min({{ column }}) as {{ column }},
        {%- endfor %}
        min(sent_agent_name) as agent_name,
        min(agent_version) as agent_version,
        -- one model for the session only when all its steps agree
        case when min(sent_model_name) = max(sent_model_name) then min(sent_model_name) end as model_name,
        -- an explicit index orders a session only when every step of it carries one
        count(step_index) = count(*) as has_step_index,
        min(coalesce(started_at, ended_at)) as first_step_started_at,
        min(ended_at) as first_event_at,
        max(ended_at) as last_event_at,
        {{ dbt.bool_or('has_clock_skew') }} as has_clock_skew
    from steps
    group by agent_session_key

)

select * from observed
