{{ config(materialized=incremental_where_possible(), incremental_strategy='append') }}

{%- set sources = {
    'int_agent_steps_completed_identified': 'sent_model_name',
    'int_agent_sessions_completed_identified': 'model_name',
    'int_agent_sessions_started_identified': 'model_name',
    'int_agent_responses_identified': 'model_name'
} %}

with names as (

    {% for model, column in sources.items() -%}
    select lower(trim({{ column }})) as model_name
    from {{ ref(model) }}
    {% if is_incremental_build() -%}
    where build_number > {{ last_build_number() }}
    {%- endif %}

    {% if not loop.last %}union distinct
    {% endif %}
    {%- endfor %}

),

sent as (

    select model_name from names
    where model_name is not null

)

select sent.model_name as model_name
from sent
{% if is_incremental() -%}
left join {{ this }} as stored on sent.model_name = stored.model_name
where stored.model_name is null
{%- endif %}
