{#- The salt of text hashes lies in one row of a table that only the role that builds may read. SQL reads it there, so
    that no view, no log and no artefact of dbt spells it. -#}

{% macro salt_setting() %}
    {{- return(env_var('AGENT_ANALYTICS_HASH_SALT', default_salt())) -}}
{% endmacro %}


{% macro default_salt() %}{{- return('development-salt-change-me') -}}{% endmacro %}


{% macro hash_salt_relation() %}
    {%- set events = graph.nodes['model.agent_analytics.int_events'] -%}
    {{- return(api.Relation.create(
        database=events.database, schema=generate_schema_name('secrets', events) | trim, identifier='hash_salt', type='table'
    )) -}}
{% endmacro %}


{% macro hash_salt() %}
    {#- While dbt parses it knows no relation yet; a unit test expects the same hashes everywhere. -#}
    {%- if not execute or model.resource_type == 'unit_test' -%}
        {{- return("'pepper'") -}}
    {%- endif -%}
    {{- return('(select salt from ' ~ hash_salt_relation() ~ ')') -}}
{% endmacro %}


{% macro keep_hash_salt() %}
    {#- Asked only where dbt executes: what is read from the environment while it parses stays in target/partial_parse.msgpack. -#}
    {%- if not execute or not is_a_build() -%}
        {{- return('') -}}
    {%- endif -%}
    {%- set relation = hash_salt_relation() -%}
    {%- set kept = [] -%}
    {%- if load_relation(relation) is none -%}
        {%- if not adapter.check_schema_exists(relation.database, relation.schema) -%}
            {%- do adapter.create_schema(relation) -%}
        {%- endif -%}
        {%- call statement('create_hash_salt') -%}
            create table {{ relation }} (salt {{ type_text() }}, salt_id {{ type_text() }}) {{ small_table_storage() }}
        {%- endcall -%}
        {%- do adapter.cache_added(relation) -%}
    {%- else -%}
        {%- call statement('read_hash_salt', fetch_result=true) -%}
            select salt, salt_id from {{ relation }}
        {%- endcall -%}
        {%- set kept = load_result('read_hash_salt').table.rows -%}
    {%- endif -%}
    {%- if kept | length == 1 and kept[0][0] == salt_setting() -%}
        {%- do graph.update({'hash_salt_id': kept[0][1]}) -%}
    {%- elif kept and not is_full_refresh_of_all_models() -%}
        {%- do exceptions.raise_compiler_error(
            'AGENT_ANALYTICS_HASH_SALT is not what it was when the warehouse was built, and no hash of a text would match those of before;'
            ~ ' set it as it was or run dbt build --full-refresh'
        ) -%}
    {%- else -%}
        {%- do write_hash_salt(relation, salt_setting(), invocation_id) -%}
        {%- do graph.update({'hash_salt_id': invocation_id}) -%}
    {%- endif -%}
    {#- The look-up of the table began a transaction, in which the hooks that follow would be lost. -#}
    {%- do adapter.commit() -%}
    {{- return('') -}}
{% endmacro %}


{% macro is_full_refresh_of_all_models() %}
    {%- set unselected = [] -%}
    {%- for node in graph.nodes.values() if node.resource_type == 'model' and node.package_name == 'agent_analytics'
        and node.unique_id not in selected_resources -%}
        {%- do unselected.append(node.unique_id) -%}
    {%- endfor -%}
    {{- return(flags.FULL_REFRESH and not unselected) -}}
{% endmacro %}


{% macro write_hash_salt(relation, salt, salt_id) %}
    {%- if not can_bind_values() and salt != default_salt() -%}
        {%- do exceptions.raise_compiler_error(
            'AGENT_ANALYTICS_HASH_SALT is not in ' ~ relation ~ ' yet, and on ' ~ target.type ~ ' dbt would write it into its log; '
            ~ 'in a client of the warehouse, truncate this table and insert the salt and any text as salt_id, then run dbt build --full-refresh'
        ) -%}
    {%- endif -%}
    {%- do adapter.truncate_relation(relation) -%}
    {%- if can_bind_values() -%}
        {%- do adapter.add_query(
            'insert into ' ~ relation ~ ' values (' ~ get_binding_char() ~ ', ' ~ get_binding_char() ~ ')',
            bindings=[salt, salt_id], abridge_sql_log=true
        ) -%}
    {%- else -%}
        {%- do run_query('insert into ' ~ relation ~ ' values (' ~ text_literal(salt) ~ ', ' ~ text_literal(salt_id) ~ ')') -%}
    {%- endif -%}
{% endmacro %}
