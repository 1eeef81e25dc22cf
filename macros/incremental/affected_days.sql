{% macro daily_rollup(date_column) %}
    {{- return({
        'materialized': incremental_where_possible(),
        'incremental_strategy': 'replace_affected_days',
        'unique_key': date_column,
        'on_schema_change': 'fail',
        'meta': {'history': 'by_day', 'tested_by_day': date_column}
    }) -}}
{% endmacro %}


{% macro get_incremental_replace_affected_days_sql(arguments) %}
    {%- set columns = get_quoted_csv(arguments.dest_columns | map(attribute='name')) -%}
    {%- set statements -%}
insert into {{ state_relation('state_days_replaced') }}
select distinct
    {{ text_literal(model.name) }} as table_name,
    replaced_date,
    {{ newest_build_of_inputs() }} as build_number
from {{ days_replaced_since_last_build() }};

delete from {{ arguments.target_relation }}
where {{ arguments.unique_key }} in (select replaced_date from {{ days_replaced_since_last_build() }});

insert into {{ arguments.target_relation }} ({{ columns }})
select {{ columns }}
from {{ arguments.temp_relation }};
    {%- endset -%}
    {{- return(in_one_transaction(statements)) -}}
{% endmacro %}


{% macro of_affected_days(date_column) %}
    {%- if not is_incremental() -%}
        {{- return('1 = 1') -}}
    {%- endif -%}
    {%- set range = run_query(
        'select min(replaced_date), max(replaced_date) from ' ~ days_replaced_since_last_build()
    ).rows[0] -%}
    {%- if range[0] is none -%}
        {{- return('1 = 0') -}}
    {%- endif -%}
    {{- return(
        '(' ~ date_column ~ ' in (select replaced_date from ' ~ days_replaced_since_last_build() ~ ')'
        ~ ' and ' ~ date_column ~ " between cast('" ~ range[0] ~ "' as date) and cast('" ~ range[1] ~ "' as date))"
    ) -}}
{% endmacro %}


{% macro days_replaced_since_last_build() %}
    {%- set names = [] -%}
    {%- for name in names_of_inputs() -%}{%- do names.append(text_literal(name)) -%}{%- endfor -%}
    {%- set own = table_builds([model.name])[model.name] -%}
    {{- return(
        '(select replaced_date from ' ~ state_relation('state_days_replaced') ~ ' where table_name in ('
        ~ names | join(', ') ~ ') and build_number > ' ~ own.build_number ~ ') as days_replaced'
    ) -}}
{% endmacro %}


{% macro newest_build_of_inputs() %}
    {{- return(table_builds(names_of_inputs()).values() | map(attribute='build_number') | min) -}}
{% endmacro %}
