{#- Relation that a generic test looks at, dbt's own macro overridden. Where the model names a day in
    its config `meta: {tested_by_day: …}`, only the rows of tested days; the day itself is tested in
    every row. A `where` of the test holds besides. Other relations a test names, such as the parent
    of `relationships`, stay whole.

    Arguments
      relation: the table the test is declared on -#}
{% macro get_where_subquery(relation) %}
    {%- set tested_model = graph.nodes.get(model.attached_node) if execute else none -%}
    {%- set day = tested_model.config.meta.tested_by_day if tested_model else none -%}
    {%- set conditions = [] -%}
    {%- if config.get('where') -%}
        {%- do conditions.append('(' ~ config.get('where') ~ ')') -%}
    {%- endif -%}
    {%- if day and day != model.column_name -%}
        {%- do conditions.append(of_tested_days(day, tested_model.name)) -%}
    {%- endif -%}
    {%- if conditions -%}
        {{- return('(select * from ' ~ relation ~ ' where ' ~ conditions | join(' and ') ~ ') as tested_rows') -}}
    {%- endif -%}
    {{- return(relation) -}}
{% endmacro %}


{#- Condition on rows with a day, for data tests: the last build replaced rows of this day. Always true
    when that rebuilt the table, and where the whole history is to be tested.

    Arguments
      day: column with the day
      table_name: the table of which the last build is meant -#}
{% macro of_tested_days(day, table_name) %}
    {%- set build = table_builds([table_name]).get(table_name) -%}
    {%- if build is none or build.is_whole or var('test_whole_history') -%}
        {{- return('1 = 1') -}}
    {%- endif -%}
    {{- return(
        day ~ ' in (select replaced_date from ' ~ state_relation('state_days_replaced') ~ ' where table_name = '
        ~ text_literal(table_name) ~ ' and build_number = ' ~ build.build_number ~ ')'
    ) -}}
{% endmacro %}


{#- Condition on rows of runs, for data tests that compare tables in which one run lies on different
    days: the last build replaced the run. Always true when that made every row, and where the whole
    history is to be tested.

    Arguments
      time_column: time of an event of the run -#}
{% macro of_tested_runs(time_column) %}
    {{- return('1 = 1' if var('test_whole_history') else of_affected_runs(time_column)) -}}
{% endmacro %}
