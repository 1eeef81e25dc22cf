{% macro daily_rollup(date_column, history='by_day', reach=none) %}
    {{- return({
        'materialized': incremental_where_possible(),
        'incremental_strategy': 'replace_affected_days',
        'unique_key': date_column,
        'on_schema_change': 'fail',
        'meta': {'history': history, 'tested_by_day': date_column, 'reach': reach}
    }) -}}
{% endmacro %}


{% macro get_incremental_replace_affected_days_sql(arguments) %}
    {%- set statements -%}
insert into {{ state_relation('state_days_replaced') }}
select distinct
    {{ text_literal(model.name) }} as table_name,
    replaced_date,
    (
        select min(build_number) from (
            select max(build_number) as build_number from {{ state_relation('state_table_builds') }}
            where table_name in ({{ quoted_names_of_inputs() }})
            group by table_name
        ) as builds_of_inputs
    ) as build_number
from {{ days_replaced_since_last_build() }};

delete from {{ arguments.target_relation }}
where {{ arguments.unique_key }} in (select replaced_date from {{ days_replaced_since_last_build() }});

{{ insert_new_rows(arguments) }};
    {%- endset -%}
    {{- return(in_one_transaction(statements)) -}}
{% endmacro %}


{% macro of_affected_days(date_column) %}
    {%- if not is_incremental() -%}
        {{- return('1 = 1') -}}
    {%- endif -%}
    {{- return(date_column ~ ' in (select replaced_date from ' ~ days_replaced_since_last_build() ~ ')') -}}
{% endmacro %}


{% macro days_replaced_since_last_build() %}
    {%- set reach = model.config.meta.get('reach') -%}
    {%- set days -%}
(
        select {% if reach == 'month' -%}
            cast({{ dbt.date_trunc('month', 'replaced_date') }} as date) as replaced_date
        {%- elif reach -%}
            cast({{ dbt.dateadd('day', 'days_ahead', 'replaced_date') }} as date) as replaced_date
        {%- else -%}
            replaced_date
        {%- endif %}
        from {{ state_relation('state_days_replaced') }}
        {%- if reach and reach != 'month' %}
        cross join ({{ whole_numbers(0, reach, 'days_ahead') }}) as ahead
        {%- endif %}
        where
            table_name in ({{ quoted_names_of_inputs() }})
            and build_number > (
                select max(build_number) from {{ state_relation('state_table_builds') }}
                where table_name = {{ text_literal(model.name) }}
            )
    ) as days_replaced
    {%- endset -%}
    {{- return(days) -}}
{% endmacro %}


{% macro quoted_names_of_inputs() %}
    {%- set names = [] -%}
    {%- set inputs = names_of_inputs() -%}
    {%- for name in (inputs.of_events if model.config.meta.get('history') == 'by_event' else inputs.of_runs) -%}{%- do names.append(text_literal(name)) -%}{%- endfor -%}
    {{- return(names | join(', ')) -}}
{% endmacro %}


{% macro whole_numbers(first, last, name) %}
    {%- set rows = [] -%}
    {%- for number in range(first, last + 1) -%}{%- do rows.append('select ' ~ number ~ ' as ' ~ name) -%}{%- endfor -%}
    {{- return(rows | join(' union all ')) -}}
{% endmacro %}


{% macro days_reached_by(runs, fact, date_column) -%}
    select distinct {{ date_column }}
    from {{ fact }}
    cross join (
        select
            min(run_date) as first_run_date,
            max({{ reporting_date('last_event_at') }}) as last_event_date
        from {{ runs }}
    ) as reach_of_runs
    where {{ date_column }} between first_run_date and last_event_date
{%- endmacro %}
