{{ config(materialized='view') }}

{% for source_table, name in event_tables().items() -%}
select
    {% for column, definition in event_columns().items() -%}
    {% if column == 'event_key' -%}
    {{ event_key(source_table, 'event_id') }} as {{ column }},
    {% elif name in definition.get('events', [name]) -%}
    {{ column }},
    {% else -%}
    cast(null as {{ definition.type }}) as {{ column }},
    {% endif -%}
    {% endfor -%}
    cast('{{ source_table }}' as {{ type_text() }}) as source_table
from {{ ref('stg_rudderstack__' ~ name) }}
{% if not loop.last %}
union all

{% endif -%}
{% endfor %}
