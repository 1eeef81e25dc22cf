{% macro version_of_definitions() %}{{- return(7) -}}{% endmacro %}


{% macro build_settings() %}
    {{- return([
        'definitions=' ~ version_of_definitions(),
        'rudderstack_database=' ~ var('rudderstack_database'),
        'rudderstack_schemas=' ~ var('rudderstack_schemas') | sort | join(','),
        'rudderstack_parquet_dir=' ~ var('rudderstack_parquet_dir'),
        'reporting_timezone=' ~ var('reporting_timezone'),
        'run_abandoned_after_minutes=' ~ whole_number_setting('run_abandoned_after_minutes'),
        'reask_window_minutes=' ~ whole_number_setting('reask_window_minutes'),
        'passthrough_columns=' ~ passthrough_columns().values() | sort | join(','),
        'AGENT_ANALYTICS_HASH_SALT=' ~ graph.hash_salt_id
    ] | join('\n')) -}}
{% endmacro %}


{% macro refuse_changed_settings(events) %}
    {%- if events is not none and events.inputs != 'dropped' and not flags.FULL_REFRESH -%}
        {%- set last = events.inputs.split('\n') -%}
        {%- for line in build_settings().split('\n') -%}
            {%- if line not in last -%}
                {%- do exceptions.raise_compiler_error(
                    line.split('=')[0] ~ ' is not what it was when the warehouse was built, and every row depends on it (README.md for settings, CHANGELOG.md for definitions); run dbt build --full-refresh'
                ) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
{% endmacro %}


{% macro contents_of_seeds(node) %}
    {%- set contents = [] -%}
    {%- for name, hash in hashes_of_seeds(node.depends_on.nodes | sort).items() -%}
        {%- do contents.append(name ~ '=' ~ hash) -%}
    {%- endfor -%}
    {{- return(contents | join('\n')) -}}
{% endmacro %}


{% macro hashes_of_seeds(unique_ids) %}
    {#- All models of a command have one graph, so each seed is read once; a seed is loaded before any model that reads it. -#}
    {%- if 'hashes_of_seeds' not in graph -%}{%- do graph.update({'hashes_of_seeds': {}}) -%}{%- endif -%}
    {%- set hashes = {} -%}
    {%- set rows_of = {} -%}
    {%- set queries = [] -%}
    {%- for unique_id in unique_ids if unique_id.startswith('seed.') -%}
        {%- set seed = graph.nodes[unique_id] -%}
        {%- do hashes.update({seed.name: graph['hashes_of_seeds'].get(seed.name)}) -%}
        {%- if hashes[seed.name] is none -%}
            {%- do rows_of.update({seed.name: []}) -%}
            {%- set relation = load_relation(api.Relation.create(database=seed.database, schema=seed.schema, identifier=seed.alias)) -%}
            {%- if relation is not none -%}
                {%- set texts = ["'" ~ seed.name ~ "'"] -%}
                {%- for column in seed.columns -%}
                    {%- do texts.extend(["'|'", "coalesce(cast(" ~ column ~ " as " ~ type_text() ~ "), '')"]) -%}
                {%- endfor -%}
                {%- do queries.append('select ' ~ dbt.concat(texts) ~ ' as texts from ' ~ relation) -%}
            {%- endif -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if queries -%}
        {#- dbt looks for the type of every value it fetches: one column takes a tenth of the time. -#}
        {%- for text in run_query(queries | join('\nunion all\n')).columns[0].values() -%}
            {%- do rows_of[text.split('|', 1)[0]].append(text) -%}
        {%- endfor -%}
    {%- endif -%}
    {%- for name, rows in rows_of.items() -%}
        {%- do hashes.update({name: local_md5(rows | sort | join('\n'))}) -%}
        {%- if execute -%}{%- do graph['hashes_of_seeds'].update({name: hashes[name]}) -%}{%- endif -%}
    {%- endfor -%}
    {{- return(hashes) -}}
{% endmacro %}
