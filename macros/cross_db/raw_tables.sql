{% macro raw_relation(declared, schema, table_name) %}
    {{- return(adapter.dispatch('raw_relation', 'agent_analytics')(declared, schema, table_name)) -}}
{% endmacro %}

{% macro default__raw_relation(declared, schema, table_name) %}
    {%- set relation = declared.incorporate(path={'schema': schema}) -%}
    {%- if is_plain_name(schema) -%}
        {{- return(load_relation(relation)) -}}
    {%- endif -%}
    {{- return(relation if table_name in tables_of_quoted_schema(schema) or [] else none) -}}
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


{% macro raw_name(relation) %}
    {{- return(adapter.dispatch('raw_name', 'agent_analytics')(relation)) -}}
{% endmacro %}

{% macro default__raw_name(relation) %}
    {{- return(relation if is_plain_name(relation.schema) else _quoted_parts([relation.schema, relation.identifier])) -}}
{% endmacro %}

{% macro duckdb__raw_name(relation) %}
    {{- return(_quoted_parts([relation.database, relation.schema, relation.identifier])) -}}
{% endmacro %}

{% macro _quoted_parts(names) %}
    {%- set parts = [] -%}
    {%- for name in names -%}{%- do parts.append(quoted_name(name)) -%}{%- endfor -%}
    {{- return(parts | join('.')) -}}
{% endmacro %}


{% macro raw_columns(relation) %}
    {{- return(adapter.dispatch('raw_columns', 'agent_analytics')(relation)) -}}
{% endmacro %}

{#- dbt's look-ups put the name of a schema between quotes as it is. -#}
{% macro default__raw_columns(relation) %}
    {%- set looked_up = relation.incorporate(path={'schema': text_literal(relation.schema)[1:-1]}) -%}
    {%- set columns = {} -%}
    {%- for column in adapter.get_columns_in_relation(relation if is_plain_name(relation.schema) else looked_up) -%}
        {%- do columns.update({column.name | lower: {'name': quoted_name(column.name), 'type': column.data_type | lower}}) -%}
    {%- endfor -%}
    {{- return(columns) -}}
{% endmacro %}

{% macro duckdb__raw_columns(relation) %}
    {{- return(described_columns(raw_name(relation))) -}}
{% endmacro %}

{% macro described_columns(relation) %}
    {%- set columns = {} -%}
    {%- for row in run_query('describe select * from ' ~ relation).rows -%}
        {%- do columns.update({row[0] | lower: {'name': quoted_name(row[0]), 'type': row[1] | lower}}) -%}
    {%- endfor -%}
    {{- return(columns) -}}
{% endmacro %}


{% macro tables_of_quoted_schema(schema) %}
    {{- return(adapter.dispatch('tables_of_quoted_schema', 'agent_analytics')(schema)) -}}
{% endmacro %}

{% macro default__tables_of_quoted_schema(schema) %}
    {%- do exceptions.raise_compiler_error(
        'rudderstack_schemas names ' ~ schema ~ ', whose quote, backslash or line break is not read on ' ~ target.type
        ~ '; allowed are names without; give the schema another name'
    ) -%}
{% endmacro %}

{% macro postgres__tables_of_quoted_schema(schema) %}
    {%- set tables = run_query(
        'select tables.table_name from pg_namespace as schemata left join information_schema.tables as tables'
        ~ ' on schemata.nspname = tables.table_schema where schemata.nspname = ' ~ text_literal(schema)
    ).columns[0].values() -%}
    {{- return(tables | reject('none') | list if tables else none) -}}
{% endmacro %}

{% macro redshift__tables_of_quoted_schema(schema) %}
    {{- return(default__tables_of_quoted_schema(schema)) -}}
{% endmacro %}

{% macro clickhouse__tables_of_quoted_schema(schema) %}
    {%- set tables = run_query(
        'select tables.name as table_name from system.databases as schemata left join system.tables as tables'
        ~ ' on schemata.name = tables.database where schemata.name = ' ~ text_literal(schema)
    ).columns[0].values() -%}
    {{- return(tables | reject('none') | list if tables else none) -}}
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
    {%- set folder = _as_glob(directory) -%}
    {%- for pattern in [folder ~ '/' ~ table_name ~ '.parquet', folder ~ '/' ~ table_name ~ '/**/*.parquet'] -%}
        {%- do files.extend(run_query('select file from glob(' ~ text_literal(pattern) ~ ') order by file').columns[0].values()) -%}
    {%- endfor -%}
    {%- if not files -%}
        {#- A table without files has had no event yet; a folder without any file is a wrong path. -#}
        {%- set any_file = run_query('select file from glob(' ~ text_literal(folder ~ '/**/*.parquet') ~ ') limit 1') -%}
        {%- if any_file.rows | length == 0 -%}
            {{- exceptions.raise_compiler_error(
                "rudderstack_parquet_dir: no Parquet file below '" ~ directory ~ "'; it must hold <table>.parquet or <table>/**/*.parquet"
            ) -}}
        {%- endif -%}
        {{- return(none) -}}
    {%- endif -%}
    {%- set literals = [] -%}
    {%- for file in files -%}{%- do literals.append(text_literal(_as_glob(file))) -%}{%- endfor -%}
    {%- set relation = 'read_parquet([' ~ literals | join(', ') ~ '], union_by_name = true)' -%}
    {{- return({'schema': 'parquet', 'sql': relation, 'columns': described_columns(relation)}) -}}
{% endmacro %}

{#- A name in which nothing stands for other characters. -#}
{% macro _as_glob(path) %}
    {{- return(modules.re.sub('([[*?])', '[\\1]', path)) -}}
{% endmacro %}


{% macro raw_table_names(database, schemas) %}
    {{- return(adapter.dispatch('raw_table_names', 'agent_analytics')(database, schemas)) -}}
{% endmacro %}

{#- dbt tells whether a table is there, and not which tables there are. -#}
{% macro default__raw_table_names(database, schemas) %}
    {%- set found = {} -%}
    {%- for schema in schemas -%}
        {%- set names = [] -%}
        {%- if is_plain_name(schema) -%}
            {%- for name in event_tables_of_sdks() -%}
                {%- if adapter.get_relation(database=database, schema=schema, identifier=name) is not none -%}
                    {%- do names.append(name) -%}
                {%- endif -%}
            {%- endfor -%}
            {%- set is_there = names or adapter.check_schema_exists(database, schema) -%}
            {%- do found.update({schema: names if is_there else none}) -%}
        {%- else -%}
            {%- do found.update({schema: tables_of_quoted_schema(schema)}) -%}
        {%- endif -%}
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
        ~ text_literal(_as_glob(directory) ~ '/**/*.parquet') ~ ') order by 1'
    ).rows -%}
        {%- do names.append(modules.re.sub('[.]parquet$', '', row[0])) -%}
    {%- endfor -%}
    {{- return(names | unique | list) -}}
{% endmacro %}
