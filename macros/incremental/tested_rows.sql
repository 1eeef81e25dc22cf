{% macro get_where_subquery(relation) %}
    {%- set tested_model = graph.nodes.get(model.attached_node) if execute else none -%}
    {%- set day = tested_model.config.meta.tested_by_day if tested_model else none -%}
    {%- set conditions = [] -%}
    {%- if config.get('where') -%}
        {%- do conditions.append('(' ~ config.get('where') ~ ')') -%}
    {%- endif -%}
    {%- if day and day != model.column_name -%}
        {%- do conditions.append(of_tested_days(day, [tested_model.name])) -%}
    {%- endif -%}
    {%- if conditions -%}
        {{- return('(select * from ' ~ relation ~ ' where ' ~ conditions | join(' and ') ~ ') as tested_rows') -}}
    {%- endif -%}
    {{- return(relation) -}}
{% endmacro %}


{% macro of_tested_days(day, table_names) %}
    {%- set builds = table_builds(table_names) -%}
    {%- if var('test_whole_history') or builds | length < table_names | length or builds.values() | selectattr('is_whole') | list -%}
        {{- return('1 = 1') -}}
    {%- endif -%}
    {%- set conditions = [] -%}
    {%- for name, build in builds.items() -%}
        {%- do conditions.append(
            'table_name = ' ~ text_literal(name) ~ ' and build_number = ' ~ build.build_number
        ) -%}
    {%- endfor -%}
    {{- return(
        day ~ ' in (select replaced_date from ' ~ state_relation('state_days_replaced') ~ ' where '
        ~ conditions | join(' or ') ~ ')'
    ) -}}
{% endmacro %}


{% macro of_tested_runs(time_column) %}
    {{- return('1 = 1' if var('test_whole_history') else of_affected_runs(time_column)) -}}
{% endmacro %}
