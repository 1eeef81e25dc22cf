{% macro raw_relation(declared, schema, table_name) %}
    {{- return(adapter.dispatch('raw_relation', 'agent_analytics')(declared, schema, table_name)) -}}
{% endmacro %}

{% macro default__raw_relation(declared, schema, table_name) %}
    {{- return(load_relation(declared.incorporate(path={'schema': schema}))) -}}
{% endmacro %}

{#- RudderStack writes upper case there; lower case is what a table made by hand and quoted has. -#}
{% macro snowflake__raw_relation(declared, schema, table_name) %}
    {%- set relation = load_relation(
        declared.incorporate(path={'schema': schema | upper, 'identifier': table_name | upper})
    ) -%}
    {%- if relation is none -%}
        {%- set relation = load_relation(declared.incorporate(path={'schema': schema})) -%}
    {%- endif -%}
    {{- return(relation) -}}
{% endmacro %}

{#- dbt's own look-up stops with an error at a name that differs in case only; to DuckDB it is the
    same name. -#}
{% macro duckdb__raw_relation(declared, schema, table_name) %}
    {%- set spelled = run_query(
        'select table_schema, table_name from information_schema.tables'
        ~ ' where lower(table_catalog) = lower(' ~ text_literal(declared.database)
        ~ ') and lower(table_schema) = lower(' ~ text_literal(schema)
        ~ ') and lower(table_name) = lower(' ~ text_literal(table_name) ~ ')'
    ) -%}
    {%- for row in spelled.rows -%}
        {{- return(declared.incorporate(path={'schema': row[0], 'identifier': row[1]})) -}}
    {%- endfor -%}
    {{- return(none) -}}
{% endmacro %}


{% macro parquet_relation(directory, table_name) %}
    {{- return(adapter.dispatch('parquet_relation', 'agent_analytics')(directory, table_name)) -}}
{% endmacro %}

{% macro default__parquet_relation(directory, table_name) %}
    {{- exceptions.raise_compiler_error(
        "rudderstack_parquet_dir works on DuckDB only; on " ~ target.type
        ~ " expose the files as external tables and list their schema in rudderstack_schemas"
    ) -}}
{% endmacro %}

{% macro duckdb__parquet_relation(directory, table_name) %}
    {%- set files = [] -%}
    {%- for pattern in [directory ~ '/' ~ table_name ~ '.parquet', directory ~ '/' ~ table_name ~ '/**/*.parquet'] -%}
        {%- do files.extend(run_query('select file from glob(' ~ text_literal(pattern) ~ ') order by file').columns[0].values()) -%}
    {%- endfor -%}
    {%- if not files -%}
        {#- A table without files has had no event yet; a folder without any file is a wrong path. -#}
        {%- set any_file = run_query('select file from glob(' ~ text_literal(directory ~ '/**/*.parquet') ~ ') limit 1') -%}
        {%- if any_file.rows | length == 0 -%}
            {{- exceptions.raise_compiler_error(
                "rudderstack_parquet_dir: no Parquet file below '" ~ directory ~ "'; it must hold <table>.parquet or <table>/**/*.parquet"
            ) -}}
        {%- endif -%}
        {{- return(none) -}}
    {%- endif -%}
    {%- set literals = [] -%}
    {%- for file in files -%}{%- do literals.append(text_literal(file)) -%}{%- endfor -%}
    {%- set relation = 'read_parquet([' ~ literals | join(', ') ~ '], union_by_name = true)' -%}
    {%- set columns = {} -%}
    {%- for row in run_query('describe select * from ' ~ relation).rows -%}
        {%- do columns.update({row[0] | lower: {'name': adapter.quote(row[0]), 'type': row[1] | lower}}) -%}
    {%- endfor -%}
    {{- return({'schema': 'parquet', 'sql': relation, 'columns': columns}) -}}
{% endmacro %}


{% macro raw_table_names(database, schemas) %}
    {{- return(adapter.dispatch('raw_table_names', 'agent_analytics')(database, schemas)) -}}
{% endmacro %}

{#- dbt tells whether a table is there, and not which tables there are. -#}
{% macro default__raw_table_names(database, schemas) %}
    {%- set found = {} -%}
    {%- for schema in schemas -%}
        {%- set names = [] -%}
        {#- dbt's look-ups put a name between quotes as it is. -#}
        {%- if "'" not in schema -%}
            {%- for name in event_tables_of_sdks() -%}
                {%- if adapter.get_relation(database=database, schema=schema, identifier=name) is not none -%}
                    {%- do names.append(name) -%}
                {%- endif -%}
            {%- endfor -%}
        {%- endif -%}
        {%- set is_there = names or "'" in schema or adapter.check_schema_exists(database, schema) -%}
        {%- do found.update({schema: names if is_there else none}) -%}
    {%- endfor -%}
    {{- return(found) -}}
{% endmacro %}

{#- RudderStack writes upper case there, or what a table made by hand and quoted has; to look is not worth an error. -#}
{% macro snowflake__raw_table_names(database, schemas) %}
    {%- set found = {} -%}
    {%- for schema in schemas -%}
        {%- set is_there = adapter.check_schema_exists(database, schema | upper) or adapter.check_schema_exists(database, schema) -%}
        {%- do found.update({schema: [] if is_there else none}) -%}
    {%- endfor -%}
    {{- return(found) -}}
{% endmacro %}

{#- One statement for all schemas. -#}
{% macro duckdb__raw_table_names(database, schemas) %}
    {%- set literals = [] -%}
    {%- set found = {} -%}
    {%- for schema in schemas -%}
        {%- do literals.append(text_literal(schema | lower)) -%}
        {%- do found.update({schema: none}) -%}
    {%- endfor -%}
    {%- set rows = run_query(
        'select lower(schemata.schema_name), tables.table_name from information_schema.schemata as schemata'
        ~ ' left join information_schema.tables as tables on schemata.catalog_name = tables.table_catalog'
        ~ ' and schemata.schema_name = tables.table_schema'
        ~ ' where lower(schemata.catalog_name) = lower(' ~ text_literal(database)
        ~ ') and lower(schemata.schema_name) in (' ~ literals | join(', ') ~ ') order by all'
    ).rows -%}
    {%- for schema in schemas -%}
        {%- for row in rows if row[0] == schema | lower -%}
            {%- do found.update({schema: (found[schema] or []) + ([row[1]] if row[1] else [])}) -%}
        {%- endfor -%}
    {%- endfor -%}
    {{- return(found) -}}
{% endmacro %}


{% macro parquet_table_names(directory) %}
    {{- return(adapter.dispatch('parquet_table_names', 'agent_analytics')(directory)) -}}
{% endmacro %}

{#- parquet_relation says that Parquet is read on DuckDB only. -#}
{% macro default__parquet_table_names(directory) %}
    {{- return([]) -}}
{% endmacro %}

{% macro duckdb__parquet_table_names(directory) %}
    {%- set names = [] -%}
    {%- for row in run_query(
        'select distinct split_part(replace(file, ' ~ text_literal(directory ~ '/') ~ ", ''), '/', 1) from glob("
        ~ text_literal(directory ~ '/**/*.parquet') ~ ') order by 1'
    ).rows -%}
        {%- do names.append(modules.re.sub('[.]parquet$', '', row[0])) -%}
    {%- endfor -%}
    {{- return(names | unique | list) -}}
{% endmacro %}
