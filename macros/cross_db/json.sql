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
