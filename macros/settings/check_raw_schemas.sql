{% macro check_raw_schemas() %}
    {%- if not execute or not is_a_build() -%}
        {{- return('') -}}
    {%- endif -%}
    {%- set declared = [] -%}
    {%- for source in graph.sources.values() if source.package_name == 'agent_analytics' -%}
        {%- do declared.append(source) -%}
    {%- endfor -%}
    {%- set read_names = declared | map(attribute='name') | list -%}
    {%- set unread = [] -%}
    {%- if var('rudderstack_parquet_dir') -%}
        {%- for name in parquet_table_names(var('rudderstack_parquet_dir')) if is_unread_event_table(name, read_names) -%}
            {%- do unread.append({'name': name, 'sql': parquet_relation(var('rudderstack_parquet_dir'), name).sql}) -%}
        {%- endfor -%}
    {%- else -%}
        {%- set schemas = raw_table_names(declared[0].database, var('rudderstack_schemas')) -%}
        {%- do _refuse_missing_schemas(schemas) -%}
        {%- for schema, tables in schemas.items() -%}
            {%- for name in tables or [] if is_unread_event_table(name, read_names) -%}
                {%- do unread.append({
                    'name': schema ~ '.' ~ name,
                    'sql': raw_name(api.Relation.create(database=declared[0].database, schema=schema, identifier=name))
                }) -%}
            {%- endfor -%}
        {%- endfor -%}
    {%- endif -%}
    {%- do _print_unread_tables(unread) -%}
    {{- return('') -}}
{% endmacro %}


{% macro event_tables_of_sdks() %}
    {{- return([
        'ai_llm_response_received', 'ai_interaction_classified', 'ai_interaction_scored',
        'ai_otel_span', 'mcp_client_seen', 'mcp_tool_called', 'mcp_resource_read', 'mcp_prompt_used',
        'mcp_elicitation_completed', 'mcp_capability_requested', 'mcp_event_subscription_changed', 'mcp_event_delivered'
    ]) -}}
{% endmacro %}


{% macro is_unread_event_table(name, read_names) %}
    {#- AI and MCP events of RudderStack's SDKs, the ones to come included. -#}
    {{- return((name | lower).startswith(('ai_', 'mcp_')) and name | lower not in read_names) -}}
{% endmacro %}


{% macro _refuse_missing_schemas(schemas) %}
    {%- set missing = [] -%}
    {%- for schema, tables in schemas.items() if tables is none and schemas | list != ['rudderstack'] -%}
        {%- do missing.append(schema) -%}
    {%- endfor -%}
    {%- if missing -%}
        {%- do exceptions.raise_compiler_error(
            'rudderstack_schemas names ' ~ missing | join(', ') ~ ', which database ' ~ (var('rudderstack_database') or target.database)
            ~ ' does not have; allowed are schemas that exist; correct its spelling in --vars or dbt_project.yml'
        ) -%}
    {%- endif -%}
{% endmacro %}


{% macro _print_unread_tables(unread) %}
    {%- set counts = [] -%}
    {%- for table in unread -%}
        {%- do counts.append('select ' ~ text_literal(table.name) ~ ' as table_name, count(*) as row_count from ' ~ table.sql) -%}
    {%- endfor -%}
    {%- set found = [] -%}
    {%- if counts -%}
        {%- for row in run_query(counts | join('\nunion all\n') ~ '\norder by 1').rows -%}
            {%- do found.append(row[0] ~ ' (' ~ row[1] | int ~ ' rows)') -%}
        {%- endfor -%}
        {#- Not a warning, which would stop a build with --warn-error; print() is heard with --quiet, too. -#}
        {%- do print('no model reads these event tables: ' ~ found | join(', ') ~ '; see docs/raw_events.md') -%}
    {%- endif -%}
{% endmacro %}
