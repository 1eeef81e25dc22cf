{% macro sql_type(logical_type) %}
    {%- set types = {
        'text': type_text(), 'id': type_text(), 'name': type_text(), 'object': type_text(),
        'bigint': dbt.type_bigint(), 'usd': type_usd(), 'double': type_double(),
        'boolean': dbt.type_boolean(), 'timestamp': type_utc_timestamp()
    } -%}
    {{- return(types[logical_type]) -}}
{% endmacro %}


{% macro column_kind(physical_type) %}
    {%- set name = physical_type | lower -%}
    {%- if name == 'object' or modules.re.search('json|variant|super|struct|array|map<|^map', name) -%}{{- return('json') -}}
    {%- elif 'without time zone' in name -%}{{- return('timestamp') -}}
    {%- elif modules.re.search('time zone|timestamptz|timestamp_tz|timestamp_ltz', name) -%}{{- return('zoned') -}}
    {%- elif modules.re.match('number *[(] *[0-9]+ *, *0 *[)]', name) -%}{{- return('integer') -}}
    {%- elif name.startswith('number') -%}{{- return('decimal') -}}
    {%- elif 'timestamp' in name or 'date' in name -%}{{- return('timestamp') -}}
    {#- ClickHouse's boolean; whole numbers of RudderStack have 64 bits there. -#}
    {%- elif 'bool' in name or 'uint8' in name -%}{{- return('boolean') -}}
    {%- elif 'int' in name and 'point' not in name and 'interval' not in name -%}{{- return('integer') -}}
    {%- elif 'double' in name or 'float' in name or 'real' in name or 'decimal' in name or 'numeric' in name -%}{{- return('decimal') -}}
    {%- else -%}{{- return('text') -}}
    {%- endif -%}
{% endmacro %}


{% macro can_fail(physical_type, logical_type) %}
    {%- set kind = column_kind(physical_type) -%}
    {%- set lossless = {
        'text': ['text', 'integer', 'decimal', 'boolean', 'timestamp', 'zoned', 'json'],
        'name': ['text', 'integer', 'decimal', 'boolean', 'timestamp', 'zoned', 'json'],
        'id': ['text', 'integer', 'decimal', 'boolean', 'timestamp', 'zoned', 'json'],
        'object': ['text', 'integer', 'decimal', 'boolean', 'timestamp', 'zoned', 'json'],
        'bigint': ['integer'],
        'usd': [],
        'double': ['integer'],
        'boolean': ['boolean'],
        'timestamp': ['timestamp', 'zoned']
    } -%}
    {{- return(kind not in lossless[logical_type]) -}}
{% endmacro %}


{% macro convert_column(column, physical_type, logical_type) %}
    {%- set kind = column_kind(physical_type) -%}
    {%- if kind == 'json' -%}
        {%- set column = json_text(column, [], is_text=false) -%}
        {%- set kind = 'text' -%}
    {%- endif -%}
    {%- if logical_type in ('text', 'id', 'object') -%}
        {{- return(_to_text(column, kind, logical_type)) -}}
    {%- elif logical_type == 'name' -%}
        {{- return(tidy_name(_to_text(column, kind, logical_type))) -}}
    {%- elif logical_type == 'bigint' -%}
        {{- return(_to_bigint(column, kind)) -}}
    {%- elif logical_type == 'usd' -%}
        {{- return(_to_usd(column, kind)) -}}
    {%- elif logical_type == 'double' -%}
        {{- return(_to_double(column, kind)) -}}
    {%- elif logical_type == 'boolean' -%}
        {{- return(_to_boolean(column, kind)) -}}
    {%- elif logical_type == 'timestamp' -%}
        {{- return(utc_timestamp(column, kind)) -}}
    {%- endif -%}
{% endmacro %}


{% macro _to_text(column, kind, logical_type) -%}
    {%- if kind == 'text' and logical_type == 'id' -%}
        {{ non_blank(column) }}
    {%- elif kind == 'text' -%}
        nullif({{ column }}, '')
    {%- elif kind == 'decimal' -%}
        case
            when {{ column }} = floor({{ column }}) and abs({{ column }}) < 1e15
                then cast(cast({{ column }} as {{ dbt.type_bigint() }}) as {{ type_text() }})
            else cast({{ column }} as {{ type_text() }})
        end
    {%- elif kind == 'boolean' -%}
        case when {{ column }} then 'true' when not {{ column }} then 'false' end
    {%- elif kind == 'json' -%}
        {{ json_text(column, [], is_text=false) }}
    {%- elif kind in ('timestamp', 'zoned') -%}
        {{ raw_timestamp_text(column, kind) }}
    {%- else -%}
        cast({{ column }} as {{ type_text() }})
    {%- endif -%}
{%- endmacro %}


{#- Half a bigint's range and more is no count and no duration; the guard keeps the cast from failing. -#}
{% macro _to_bigint(column, kind) -%}
    {%- if kind == 'integer' -%}
        cast({{ column }} as {{ dbt.type_bigint() }})
    {%- elif kind in ('decimal', 'text') -%}
        {%- set number = column if kind == 'decimal' else text_to_double(column) -%}
        case when abs({{ number }}) < 9.2e18 then {{ to_whole_number(number) }} end
    {%- else -%}
        cast(null as {{ dbt.type_bigint() }})
    {%- endif -%}
{%- endmacro %}


{#- No sum of amounts up to 10^12 leaves the type of money; a larger one is no money, nor is infinity. -#}
{% macro _to_usd(column, kind) -%}
    {%- set amount = column if kind in ('integer', 'decimal') else _to_double(column, kind) -%}
    {{ to_usd('case when abs(' ~ amount ~ ') <= 1e12 then ' ~ amount ~ ' end') }}
{%- endmacro %}


{% macro _to_double(column, kind) -%}
    {%- if kind in ('integer', 'decimal') -%}
        cast({{ column }} as {{ type_double() }})
    {%- elif kind == 'text' -%}
        {{ text_to_double(column) }}
    {%- else -%}
        cast(null as {{ type_double() }})
    {%- endif -%}
{%- endmacro %}


{% macro _to_boolean(column, kind) -%}
    {%- if kind == 'boolean' -%}
        {{ column }}
    {%- elif kind in ('integer', 'decimal') -%}
        {{ column }} != 0
    {%- elif kind == 'text' -%}
        case
            when lower(trim({{ column }})) in ('true', 't', 'yes', '1') then true
            when lower(trim({{ column }})) in ('false', 'f', 'no', '0') then false
        end
    {%- else -%}
        cast(null as {{ dbt.type_boolean() }})
    {%- endif -%}
{%- endmacro %}


{% macro utc_timestamp(column, kind) -%}
    {%- if kind == 'zoned' -%}
        {{ zoned_to_utc(column) }}
    {%- elif kind == 'timestamp' -%}
        cast({{ column }} as {{ type_utc_timestamp() }})
    {%- elif kind == 'text' -%}
        {{ text_to_timestamp(column) }}
    {%- else -%}
        cast(null as {{ type_utc_timestamp() }})
    {%- endif -%}
{%- endmacro %}


{% macro object_text(name, columns) %}
    {%- set lines = [] -%}
    {%- if name in columns -%}
        {%- do lines.append(_to_text(columns[name].name, column_kind(columns[name].type), 'object')) -%}
    {%- endif -%}
    {%- for key, column in columns.items() | sort -%}
        {%- if key.startswith(name ~ '_') -%}
            {%- do lines.append(
                text_literal(key[(name | length) + 1:] ~ '=') ~ ' || ' ~ _to_text(column.name, column_kind(column.type), 'object')
            ) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if not lines -%}{{- return(none) -}}{%- endif -%}
    {%- if lines | length == 1 -%}{{- return(lines[0]) -}}{%- endif -%}
    {{- return("nullif(" ~ joined_lines(lines) ~ ", '')") -}}
{% endmacro %}
