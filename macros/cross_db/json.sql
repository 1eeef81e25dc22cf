{% macro json_text(json_expression, path, is_text) %}
    {{- return(adapter.dispatch('json_text', 'agent_analytics')(json_expression, path, is_text)) -}}
{% endmacro %}

{% macro _json_path(path) -%}
    {{ text_literal((['$'] + path) | join('.')) }}
{%- endmacro %}

{% macro default__json_text(json_expression, path, is_text) -%}
    json_value({{ json_expression }}, {{ _json_path(path) }})
{%- endmacro %}

{% macro duckdb__json_text(json_expression, path, is_text) -%}
    case
        when json_valid(cast({{ json_expression }} as varchar))
            then json_extract_string(cast({{ json_expression }} as varchar), {{ _json_path(path) }})
    end
{%- endmacro %}

{% macro postgres__json_text(json_expression, path, is_text) -%}
    {%- set document = helper_function('try_jsonb') ~ '(' ~ json_expression ~ ')' if is_text else json_expression -%}
    ({{ document }} #>> {{ text_literal('{' ~ path | join(',') ~ '}') }})
{%- endmacro %}

{#- A missing key gives an empty text, and there is no path to the value itself. -#}
{% macro redshift__json_text(json_expression, path, is_text) -%}
    {%- set document = json_expression if is_text else 'json_serialize(' ~ json_expression ~ ')' -%}
    {%- if path -%}
        nullif(json_extract_path_text({{ document }}{% for key in path %}, {{ text_literal(key) }}{% endfor %}, true), '')
    {%- elif is_text -%}
        case when is_valid_json({{ document }}) then {{ document }} end
    {%- else -%}
        case
            when json_typeof({{ json_expression }}) = 'string' then cast({{ json_expression }} as varchar(65535))
            else {{ document }}
        end
    {%- endif -%}
{%- endmacro %}

{% macro spark__json_text(json_expression, path, is_text) -%}
    get_json_object({{ json_expression }}, {{ _json_path(path) }})
{%- endmacro %}

{#- A plain string in a variant is no JSON text of its own. -#}
{% macro snowflake__json_text(json_expression, path, is_text) -%}
    {%- set document = 'try_parse_json(' ~ json_expression ~ ')' if is_text else json_expression -%}
    {%- if path -%}
        to_varchar(get_path({{ document }}, {{ text_literal(path | join('.')) }}))
    {%- else -%}
        to_varchar({{ document }})
    {%- endif -%}
{%- endmacro %}

{#- json_value gives scalars only, json_query the rest. A number beyond the float range must not lose the document. -#}
{% macro bigquery__json_text(json_expression, path, is_text) -%}
    {%- set document = json_expression if is_text else 'to_json_string(' ~ json_expression ~ ')' -%}
    case
        when safe.parse_json({{ document }}, wide_number_mode => 'round') is not null
            then coalesce(json_value({{ document }}, {{ _json_path(path) }}), json_query({{ document }}, {{ _json_path(path) }}))
    end
{%- endmacro %}

{% macro clickhouse__json_text(json_expression, path, is_text) -%}
    {%- set keys = [json_expression] -%}
    {%- for key in path -%}{%- do keys.append(text_literal(key)) -%}{%- endfor -%}
    case
        when not isValidJSON({{ json_expression }}) then null
        when JSONType({{ keys | join(', ') }}) = 'String' then JSONExtractString({{ keys | join(', ') }})
        when JSONType({{ keys | join(', ') }}) = 'Null' then null
        else JSONExtractRaw({{ keys | join(', ') }})
    end
{%- endmacro %}


{% macro json_items(relation, key_column, list_column) %}
    {{- return(adapter.dispatch('json_items', 'agent_analytics')(relation, key_column, list_column)) -}}
{% endmacro %}

{% macro default__json_items(relation, key_column, list_column) -%}
    select
        listed.{{ key_column }} as {{ key_column }},
        numbered.item_position + 1 as item_position,
        numbered.item
    from (
        select
            {{ key_column }},
            from_json({{ list_column }}, 'array<string>') as items
        from {{ relation }}
    ) as listed
    lateral view posexplode(listed.items) numbered as item_position, item
{%- endmacro %}

{% macro duckdb__json_items(relation, key_column, list_column) -%}
    select
        {{ key_column }},
        generate_subscripts(items, 1) as item_position,
        cast(unnest(items) as varchar) as item
    from (
        select
            {{ key_column }},
            json_extract({{ list_column }}, '$[*]') as items
        from {{ relation }}
        where json_valid({{ list_column }})
    ) as listed
{%- endmacro %}

{% macro postgres__json_items(relation, key_column, list_column) -%}
    select
        listed.{{ key_column }} as {{ key_column }},
        numbered.item_position,
        cast(numbered.item as text) as item
    from (
        select
            {{ key_column }},
            {{ helper_function('try_jsonb') }}({{ list_column }}) as items
        from {{ relation }}
    ) as listed
    cross join lateral jsonb_array_elements(
        case when jsonb_typeof(listed.items) = 'array' then listed.items end
    ) with ordinality as numbered (item, item_position)
{%- endmacro %}

{#- There a list of JSON cannot be taken apart but by position; the SDKs name few models per answer. -#}
{% macro redshift__json_items(relation, key_column, list_column) -%}
    select
        listed.{{ key_column }} as {{ key_column }},
        positions.item_position,
        json_extract_array_element_text(listed.{{ list_column }}, positions.item_position - 1, true) as item
    from {{ relation }} as listed
    cross join (
        {% for position in range(1, 101) -%}
        select {{ position }} as item_position{{ ' union all ' if not loop.last }}
        {% endfor %}
    ) as positions
    where
        is_valid_json_array(listed.{{ list_column }})
        and positions.item_position <= json_array_length(listed.{{ list_column }}, true)
{%- endmacro %}

{% macro snowflake__json_items(relation, key_column, list_column) -%}
    select
        listed.{{ key_column }} as {{ key_column }},
        numbered.index + 1 as item_position,
        to_varchar(numbered.value) as item
    from {{ relation }} as listed
    cross join lateral flatten(input => try_parse_json(listed.{{ list_column }})) as numbered
    where is_array(try_parse_json(listed.{{ list_column }}))
{%- endmacro %}

{% macro bigquery__json_items(relation, key_column, list_column) -%}
    select
        listed.{{ key_column }} as {{ key_column }},
        item_offset + 1 as item_position,
        item
    from {{ relation }} as listed
    cross join unnest(json_query_array(
        case when safe.parse_json(listed.{{ list_column }}, wide_number_mode => 'round') is not null then listed.{{ list_column }} end
    )) as item with offset as item_offset
{%- endmacro %}

{% macro clickhouse__json_items(relation, key_column, list_column) -%}
    select
        {{ key_column }},
        toInt64(numbered.1) as item_position,
        numbered.2 as item
    from (
        select
            {{ key_column }},
            arrayJoin(arrayZip(arrayEnumerate(items), items)) as numbered
        from (
            select
                {{ key_column }},
                JSONExtractArrayRaw(ifNull({{ list_column }}, '')) as items
            from {{ relation }}
        ) as listed
    ) as numbered_items
{%- endmacro %}
