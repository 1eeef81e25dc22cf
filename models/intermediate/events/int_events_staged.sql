{{ config(materialized='view') }}

{% for source_table, name in event_tables().items() -%}
select
    cast('{{ source_table }}' as {{ type_text() }}) as source_table,
    {%- for column, definition in event_columns().items() %}
    {% if column == 'event_key' -%}
    {{ event_key(source_table, 'event_id') }}
    {%- elif name in definition.get('events', [name]) -%}
    {{ column }}
    {%- else -%}
    cast(null as {{ definition.type }})
    {%- endif %} as {{ column }}{{ ',' if not loop.last }}
    {%- endfor %}
from {{ ref('stg_rudderstack__' ~ name) }}
{%- if not loop.last %}

union all

{% endif %}
{%- endfor %}
