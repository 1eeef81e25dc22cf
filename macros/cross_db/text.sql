{% macro non_blank(column) %}
    {{- return(adapter.dispatch('non_blank', 'agent_analytics')(column)) -}}
{% endmacro %}

{% macro default__non_blank(column) -%}
    case when trim({{ column }}) != '' then {{ column }} end
{%- endmacro %}

{#- Only what sorts before the first visible character can be blank: the comparison costs a tenth of
    the trim, and ids are the widest columns there are. -#}
{% macro duckdb__non_blank(column) -%}
    case when {{ column }} >= '!' then {{ column }} when trim({{ column }}) != '' then {{ column }} end
{%- endmacro %}


{% macro starts_with(text_expression, prefix_expression) -%}
    left({{ text_expression }}, length({{ prefix_expression }})) = {{ prefix_expression }}
{%- endmacro %}


{% macro ends_with(text_expression, suffix_expression) -%}
    right({{ text_expression }}, length({{ suffix_expression }})) = {{ suffix_expression }}
{%- endmacro %}


{% macro character_count(text_expression) %}
    {{- return(adapter.dispatch('character_count', 'agent_analytics')(text_expression)) -}}
{% endmacro %}

{% macro default__character_count(text_expression) -%}
    cast(length({{ text_expression }}) as {{ dbt.type_bigint() }})
{%- endmacro %}

{#- length() counts bytes. -#}
{% macro clickhouse__character_count(text_expression) -%}
    cast(lengthUTF8({{ text_expression }}) as Int64)
{%- endmacro %}


{% macro first_characters(text_expression, number_of_characters) %}
    {{- return(adapter.dispatch('first_characters', 'agent_analytics')(text_expression, number_of_characters)) -}}
{% endmacro %}

{% macro default__first_characters(text_expression, number_of_characters) -%}
    left({{ text_expression }}, {{ number_of_characters }})
{%- endmacro %}

{% macro clickhouse__first_characters(text_expression, number_of_characters) -%}
    leftUTF8({{ text_expression }}, {{ number_of_characters }})
{%- endmacro %}


{% macro lower_case(text_expression) %}
    {{- return(adapter.dispatch('lower_case', 'agent_analytics')(text_expression)) -}}
{% endmacro %}

{% macro default__lower_case(text_expression) -%}
    lower({{ text_expression }})
{%- endmacro %}

{% macro clickhouse__lower_case(text_expression) -%}
    lowerUTF8({{ text_expression }})
{%- endmacro %}


{% macro line_break() %}
    {{- return(adapter.dispatch('line_break', 'agent_analytics')()) -}}
{% endmacro %}

{% macro default__line_break() -%}chr(10){%- endmacro %}

{% macro clickhouse__line_break() -%}char(10){%- endmacro %}


{% macro joined_lines(lines) %}
    {{- return(adapter.dispatch('joined_lines', 'agent_analytics')(lines)) -}}
{% endmacro %}

{#- Every line brings its break, absent ones bring nothing, and the first break is cut off. Engines read `a || b || c` as one expression
    within another and go some hundreds deep, so the lines are joined in groups. -#}
{% macro default__joined_lines(lines) %}
    {%- set texts = [] -%}
    {%- for line in lines -%}
        {%- do texts.append('coalesce(' ~ line_break() ~ ' || ' ~ line ~ ", '')") -%}
    {%- endfor -%}
    {{- return('substring(' ~ _concatenation(texts) ~ ', 2)') -}}
{% endmacro %}

{% macro _concatenation(texts) %}
    {%- set groups = [] -%}
    {%- for group in texts | batch(50) -%}
        {%- do groups.append('(' ~ group | join(' || ') ~ ')') -%}
    {%- endfor -%}
    {{- return(groups[0] if groups | length == 1 else _concatenation(groups)) -}}
{% endmacro %}

{#- A fifth of the time of planning where a tool has thousands of arguments. -#}
{% macro duckdb__joined_lines(lines) %}
    {{- return('concat_ws(' ~ line_break() ~ ', ' ~ lines | join(', ') ~ ')') -}}
{% endmacro %}

{#- A function takes a hundred arguments there. -#}
{% macro postgres__joined_lines(lines) %}
    {{- return('array_to_string(array[' ~ lines | join(', ') ~ '], ' ~ line_break() ~ ')') -}}
{% endmacro %}

{% macro redshift__joined_lines(lines) %}
    {{- return(default__joined_lines(lines)) -}}
{% endmacro %}

{% macro spark__joined_lines(lines) %}
    {{- return('concat_ws(' ~ line_break() ~ ', ' ~ lines | join(', ') ~ ')') -}}
{% endmacro %}

{% macro clickhouse__joined_lines(lines) %}
    {%- set texts = [] -%}
    {%- for line in lines -%}
        {%- do texts.append('coalesce(' ~ line ~ ", '')") -%}
    {%- endfor -%}
    {{- return("arrayStringConcat(arrayFilter(line -> line != '', [" ~ texts | join(', ') ~ ']), ' ~ line_break() ~ ')') -}}
{% endmacro %}


{% macro item_of_list(list_expression, position) %}
    {{- return(adapter.dispatch('item_of_list', 'agent_analytics')(list_expression, position)) -}}
{% endmacro %}

{% macro default__item_of_list(list_expression, position) -%}
    split_part({{ list_expression }}, ',', cast({{ position }} as {{ dbt.type_int() }}))
{%- endmacro %}

{% macro bigquery__item_of_list(list_expression, position) -%}
    split({{ list_expression }}, ',')[safe_ordinal({{ position }})]
{%- endmacro %}

{% macro clickhouse__item_of_list(list_expression, position) -%}
    splitByChar(',', {{ list_expression }})[{{ position }}]
{%- endmacro %}


{% macro composed_characters(text_expression) %}
    {{- return(adapter.dispatch('composed_characters', 'agent_analytics')(text_expression)) -}}
{% endmacro %}

{% macro default__composed_characters(text_expression) -%}
    {{ text_expression }}
{%- endmacro %}

{% macro duckdb__composed_characters(text_expression) -%}
    nfc_normalize({{ text_expression }})
{%- endmacro %}

{% macro postgres__composed_characters(text_expression) -%}
    normalize({{ text_expression }}, nfc)
{%- endmacro %}

{% macro redshift__composed_characters(text_expression) -%}
    {{ default__composed_characters(text_expression) }}
{%- endmacro %}

{% macro bigquery__composed_characters(text_expression) -%}
    normalize({{ text_expression }}, nfc)
{%- endmacro %}

{% macro clickhouse__composed_characters(text_expression) -%}
    normalizeUTF8NFC({{ text_expression }})
{%- endmacro %}


{% macro joined_texts(text_expression, separator, order_expression) %}
    {{- return(adapter.dispatch('joined_texts', 'agent_analytics')(text_expression, separator, order_expression)) -}}
{% endmacro %}

{% macro default__joined_texts(text_expression, separator, order_expression) -%}
    listagg({{ text_expression }}, '{{ separator }}') within group (order by {{ order_expression }})
{%- endmacro %}

{% macro redshift__joined_texts(text_expression, separator, order_expression) -%}
    {{ default__joined_texts(text_expression, separator, order_expression) }}
{%- endmacro %}

{% macro _joined_by_string_agg(text_expression, separator, order_expression) -%}
    string_agg({{ text_expression }}, '{{ separator }}' order by {{ order_expression }})
{%- endmacro %}

{% macro duckdb__joined_texts(text_expression, separator, order_expression) -%}
    {{ _joined_by_string_agg(text_expression, separator, order_expression) }}
{%- endmacro %}

{% macro postgres__joined_texts(text_expression, separator, order_expression) -%}
    {{ _joined_by_string_agg(text_expression, separator, order_expression) }}
{%- endmacro %}

{% macro bigquery__joined_texts(text_expression, separator, order_expression) -%}
    {{ _joined_by_string_agg(text_expression, separator, order_expression) }}
{%- endmacro %}

{#- Its lists have no order before version 4. -#}
{% macro spark__joined_texts(text_expression, separator, order_expression) -%}
    array_join(
        transform(
            array_sort(collect_list(named_struct('place', {{ order_expression }}, 'word', {{ text_expression }}))),
            pair -> pair.word
        ),
        '{{ separator }}'
    )
{%- endmacro %}

{% macro clickhouse__joined_texts(text_expression, separator, order_expression) -%}
    arrayStringConcat(
        arrayMap(pair -> pair.2, arraySort(groupArray(({{ order_expression }}, assumeNotNull({{ text_expression }}))))),
        '{{ separator }}'
    )
{%- endmacro %}
