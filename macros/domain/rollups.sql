{% macro disclosed_counts(is_used, is_unfinished) -%}
    cast(count(*) as {{ dbt.type_bigint() }}) as n_all,
    {{ count_where(is_used) }} as n_used,
    {{ count_where(is_unfinished) }} as n_unfinished,
    {{ count_where("price_status = 'unpriced'") }} as n_unpriced,
    {{ count_where("price_status = 'partial'") }} as n_partial
{%- endmacro %}


{% macro summed_counts(relation=none) -%}
    {%- for count in ['n_all', 'n_used', 'n_unfinished', 'n_unpriced', 'n_partial'] -%}
    {{ bigint_sum((relation ~ '.' if relation else '') ~ count) }} as {{ count }}{{ ',\n    ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}


{% macro rollup_key(columns) -%}
    {%- set hashes = [] -%}
    {%- for column in columns -%}
        {%- do hashes.append(text_hash('coalesce(cast(' ~ column ~ ' as ' ~ type_text() ~ "), '')")) -%}
    {%- endfor -%}
    {{ text_hash(hashes | join(' || ')) }}
{%- endmacro %}


{% macro duration_distribution(duration_ms) -%}
    avg(cast({{ duration_ms }} as {{ type_double() }})) as mean_duration_ms,
    cast({{ percentile(duration_ms, 0.5) }} as {{ type_double() }}) as p50_duration_ms,
    cast({{ percentile(duration_ms, 0.9) }} as {{ type_double() }}) as p90_duration_ms,
    cast({{ percentile(duration_ms, 0.95) }} as {{ type_double() }}) as p95_duration_ms,
    cast({{ percentile(duration_ms, 0.99) }} as {{ type_double() }}) as p99_duration_ms,
    max({{ duration_ms }}) as max_duration_ms
{%- endmacro %}


{% macro in_analysis_window(date_expression) -%}
    {{ date_expression }} >= analysis_window.window_start_date
    and {{ date_expression }} <= analysis_window.window_end_date
{%- endmacro %}
