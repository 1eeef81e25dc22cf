{% macro typed_source(source_name, table_name, expected_columns) %}
    {#- Called outside of every condition: the edge stays in the graph. -#}
    {%- set declared = source(source_name, table_name) -%}
    {%- set selects = [] -%}
    {%- if execute -%}
        {%- for raw in raw_relations(declared, table_name) -%}
            {%- do selects.append(_typed_select(raw, expected_columns)) -%}
        {%- endfor -%}
    {%- endif -%}
    {%- if execute and not selects -%}
        {%- do log('no raw table ' ~ table_name ~ ' yet: its rows and columns are empty', info=true) -%}
    {%- endif -%}
    {%- if selects -%}
        {{- selects | join('\nunion all\n') -}}
    {%- else -%}
        {{- _empty_select(expected_columns) -}}
    {%- endif -%}
{% endmacro %}


{% macro raw_relations(declared, table_name) %}
    {%- set found = [] -%}
    {%- if var('rudderstack_parquet_dir') -%}
        {%- set relation = parquet_relation(var('rudderstack_parquet_dir'), table_name) -%}
        {%- if relation -%}{%- do found.append(relation) -%}{%- endif -%}
    {%- else -%}
        {%- for schema in var('rudderstack_schemas') -%}
            {%- set relation = raw_relation(declared, schema, table_name) -%}
            {%- if relation is not none -%}
                {%- do found.append({'schema': schema, 'sql': raw_name(relation), 'columns': raw_columns(relation)}) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
    {{- return(found) -}}
{% endmacro %}


{% macro _typed_select(raw, expected_columns) %}
    {%- set failures = [] -%}
    {%- for name in unread_token_columns(raw.columns, expected_columns) -%}
        {#- A column name may hold any character; a comma ends a name in the list. -#}
        {%- do failures.append(
            'case when ' ~ raw.columns[name].name ~ ' is not null then '
            ~ text_literal('?' ~ modules.re.sub('[^a-z0-9_]', '_', name) ~ ',') ~ " else '' end"
        ) -%}
    {%- endfor -%}
select
    cast({{ text_literal(raw.schema) }} as {{ type_text() }}) as raw_schema,
    {%- for column in expected_columns %}
        {%- set candidates = [] -%}
        {%- for name in column.get('raw_names', [column.name]) -%}
            {%- if name in raw.columns -%}
                {%- do candidates.append(raw.columns[name]) -%}
            {%- endif -%}
        {%- endfor -%}
        {%- if column.type == 'object' -%}
            {%- set text = object_text(column.name, raw.columns) -%}
            {%- if text -%}{%- set candidates = [{'name': text, 'type': 'text'}] -%}{%- endif -%}
        {%- endif -%}
        {%- for path in column.get('json', []) -%}
            {%- if path[0] in raw.columns and column_kind(raw.columns[path[0]].type) in ('text', 'json') -%}
                {%- do candidates.append({
                    'name': json_text(
                        raw.columns[path[0]].name, path[1:], is_text=column_kind(raw.columns[path[0]].type) == 'text'
                    ),
                    'type': 'text'
                }) -%}
            {%- endif -%}
        {%- endfor -%}
        {%- set converted = [] -%}
        {%- for candidate in (candidates[:1] if column.is_first_only else candidates) -%}
            {%- set expression = convert_column(candidate.name, candidate.type, column.type) -%}
            {%- do converted.append(expression) -%}
            {%- if can_fail(candidate.type, column.type) and not column.is_first_only -%}
                {%- do failures.append(_failure_mark(candidate, expression, column.get('raw_names', [column.name])[0])) -%}
            {%- endif -%}
        {%- endfor %}
    {% if converted | length == 0 -%}
        cast(null as {{ sql_type(column.type) }})
    {%- elif converted | length == 1 -%}
        {{ converted[0] }}
    {%- else -%}
        coalesce({{ converted | join(', ') }})
    {%- endif %} as {{ column.name }},
    {%- endfor %}
    cast({{ failures | join('\n        || ') if failures else "''" }} as {{ type_text() }}) as unconverted_columns
from {{ raw.sql }}
{%- endmacro %}


{% macro unread_token_columns(raw_columns, expected_columns) %}
    {%- set read = [] -%}
    {%- set objects = [] -%}
    {%- for column in expected_columns -%}
        {%- do read.extend(column.get('raw_names', [column.name])) -%}
        {%- if column.type == 'object' -%}{%- do objects.append(column.name ~ '_') -%}{%- endif -%}
        {%- for path in column.get('json', []) if path[0] in raw_columns -%}
            {%- if column_kind(raw_columns[path[0]].type) in ('text', 'json') -%}{%- do read.append(path[0]) -%}{%- endif -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- set unread = [] -%}
    {#- What a device or a page sends along is no usage: context_device_token. -#}
    {%- for name in raw_columns | sort if 'token' in name and name not in read and not name.startswith('context_') -%}
        {%- set of_object = [] -%}
        {%- for prefix in objects if name.startswith(prefix) -%}{%- do of_object.append(prefix) -%}{%- endfor -%}
        {%- if not of_object -%}{%- do unread.append(name) -%}{%- endif -%}
    {%- endfor -%}
    {{- return(unread) -}}
{% endmacro %}


{% macro _failure_mark(candidate, expression, name) -%}
    {%- if column_kind(candidate.type) in ('text', 'json') -%}
        {%- set has_value = "trim(cast(" ~ candidate.name ~ " as " ~ type_text() ~ ")) != ''" -%}
    {%- else -%}
        {%- set has_value = candidate.name ~ ' is not null' -%}
    {%- endif -%}
    case when {{ has_value }} and ({{ expression }}) is null then '{{ name }},' else '' end
{%- endmacro %}


{% macro _empty_select(expected_columns) %}
select
    cast(null as {{ type_text() }}) as raw_schema,
    {%- for column in expected_columns %}
    cast(null as {{ sql_type(column.type) }}) as {{ column.name }},
    {%- endfor %}
    cast(null as {{ type_text() }}) as unconverted_columns
from (select 1 as placeholder) as nothing
where 1 = 0
{%- endmacro %}
