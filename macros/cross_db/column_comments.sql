{#- Comments on the columns of a table. dbt-spark asks for the rows that such a statement gives, and
    fails when, as before Spark 4, the answer does not even name columns. Each comment is a commit of
    its own, which takes longer than most tables: those of intermediate tables are left to the docs. -#}
{% macro spark__alter_column_comment(relation, column_dict) %}
    {%- set is_read_by_people = relation.schema != generate_schema_name('intermediate', none) -%}
    {%- if config.get('file_format') in ('delta', 'hudi', 'iceberg') and is_read_by_people -%}
        {%- for column_name, column in column_dict.items() if column.description -%}
            {%- call statement('comment_on_column') -%}
                alter table {{ relation }}
                alter column {{ adapter.quote(column_name) if column.quote else column_name }}
                comment {{ text_literal(column.description) }}
            {%- endcall -%}
        {%- endfor -%}
    {%- endif -%}
{% endmacro %}


{#- dbt has left out the columns that are not there; dbt-duckdb would ask the table for them once more. -#}
{% macro duckdb__alter_column_comment(relation, column_dict) %}
    {%- for column_name, column in column_dict.items() %}
        comment on column {{ relation }}.{{ adapter.quote(column_name) if column.quote else column_name }}
        is {{ text_literal(column.description) }};
    {%- endfor -%}
{% endmacro %}
