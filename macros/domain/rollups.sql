{% macro disclosed_counts(is_used, is_unfinished) -%}
    count(*) as n_all,
    {{ count_where(is_used) }} as n_used,
    {{ count_where(is_unfinished) }} as n_unfinished,
    {{ count_where("price_status = 'unpriced'") }} as n_unpriced,
    {{ count_where("price_status = 'partial'") }} as n_partial
{%- endmacro %}


{% macro rollup_key(columns) -%}
    {%- set hashes = [] -%}
    {%- for column in columns -%}
        {%- do hashes.append(text_hash('coalesce(cast(' ~ column ~ ' as ' ~ type_text() ~ "), '')")) -%}
    {%- endfor -%}
    {{ text_hash(hashes | join(' || ')) }}
{%- endmacro %}


{% macro summed_disclosed_counts(relation) -%}
    {%- for name in ['n_all', 'n_used', 'n_unfinished', 'n_unpriced', 'n_partial'] -%}
    {{ bigint_sum(relation ~ '.' ~ name) }} as {{ name }}
    {%- if not loop.last %},
    {% endif %}
    {%- endfor %}
{%- endmacro %}


{% macro in_analysis_window(date_expression) -%}
    {{ date_expression }} >= analysis_window.window_start_date
    and {{ date_expression }} <= analysis_window.window_end_date
{%- endmacro %}
