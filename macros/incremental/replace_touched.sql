{#- Incremental strategy of facts and rollups: all rows of the touched runs, or days, give way to
    those this build has made, in one transaction. A run that lost its last event, or a day that lost
    its last run, has no new rows and is gone.

    `unique_key` of the model says what is replaced: run_key, or the name of its day.

    Arguments
      arguments: what dbt gives an incremental strategy: target_relation, temp_relation, unique_key,
        dest_columns, incremental_predicates -#}
{% macro get_incremental_replace_touched_sql(arguments) %}
    {%- set columns = get_quoted_csv(arguments.dest_columns | map(attribute='name')) -%}
    {%- set key = arguments.unique_key -%}
    {%- if key == 'run_key' -%}
        {%- set touched = '(select run_key from ' ~ ref('int_runs_touched') ~ ')' -%}
    {%- else -%}
        {%- set touched = '(select touched_date from ' ~ ref('int_days_touched') ~ ')' -%}
    {%- endif -%}
    {%- set statements -%}
delete from {{ arguments.target_relation }}
where
    {{ key }} in {{ touched }}
    {%- for predicate in arguments.incremental_predicates or [] %}
    and {{ predicate }}
    {%- endfor %};

insert into {{ arguments.target_relation }} ({{ columns }})
select {{ columns }}
from {{ arguments.temp_relation }};
    {%- endset -%}
    {{- return(in_one_transaction(statements)) -}}
{% endmacro %}


{#- Condition on rows of a rollup or the facts below it: the day is one of those this build replaces.
    Always true when the rollup is built whole.

    Arguments
      date_column: the day -#}
{% macro of_touched_days(date_column) %}
    {%- set touched = state_ref('int_days_touched') -%}
    {%- if not is_incremental() -%}
        {{- return('1 = 1') -}}
    {%- endif -%}
    {%- set range = run_query('select min(touched_date), max(touched_date) from ' ~ touched).rows[0] -%}
    {%- if range[0] is none -%}
        {{- return('1 = 0') -}}
    {%- endif -%}
    {%- set condition -%}
        {{ date_column }} in (select touched_date from {{ touched }})
        and {{ date_column }} between cast('{{ range[0] }}' as date) and cast('{{ range[1] }}' as date)
    {%- endset -%}
    {{- return('(' ~ condition ~ ')') -}}
{% endmacro %}
