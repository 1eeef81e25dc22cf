{#- Tables that builds write as they go; docs/incremental.md shows who writes and who reads them.
    Rows are only added, so that models that commit at the same time never conflict. They are no
    models, because every model with a history would then be their child: this file and the macros that
    use it are the one place where SQL reads what the graph does not show. -#}

{% macro state_columns() %}
    {{- return({
        'state_table_builds': {
            'table_name': type_text(),
            'build_number': dbt.type_bigint(),
            'events_build_number': dbt.type_bigint(),
            'since_events_build_number': dbt.type_bigint(),
            'is_whole': dbt.type_boolean(),
            'inputs': type_text(),
            'newest_event_at': type_utc_timestamp(),
            'applied_at': type_utc_timestamp()
        },
        'state_runs_left': {
            'run_key': type_key(),
            'conversation_id': type_text(),
            'event_at': type_utc_timestamp(),
            'events_build_number': dbt.type_bigint()
        },
        'state_parents_left': {
            'run_key': type_key(),
            'conversation_id': type_text(),
            'agent_session_id': type_text(),
            'events_build_number': dbt.type_bigint()
        },
        'state_days_replaced': {
            'table_name': type_text(),
            'replaced_date': 'date',
            'build_number': dbt.type_bigint()
        },
        'state_invocations': {
            'invocation_id': type_text(),
            'kind': type_text(),
            'is_passed': dbt.type_boolean(),
            'mart_tables': type_text(),
            'recorded_at': type_utc_timestamp()
        }
    }) -}}
{% endmacro %}


{% macro state_relation(name) %}
    {%- set place = graph.get('place_of_state') -%}
    {%- if place is none -%}
        {%- set events = graph.nodes['model.agent_analytics.int_events'] -%}
        {%- set place = {'database': events.database, 'schema': events.schema} -%}
        {%- if execute -%}{%- do graph.update({'place_of_state': place}) -%}{%- endif -%}
    {%- endif -%}
    {{- return(api.Relation.create(
        database=place.database, schema=place.schema, identifier=name, type='table'
    )) -}}
{% endmacro %}


{% macro create_state_tables() %}
    {%- set statements = [] -%}
    {%- if execute and can_replace_rows() and is_a_build() -%}
        {%- for name, columns in state_columns().items() -%}
            {%- set relation = state_relation(name) -%}
            {%- if load_relation(relation) is none -%}
                {#- Postgres asks for the right to create schemas also where there is nothing to create. -#}
                {%- if not statements and not adapter.check_schema_exists(relation.database, relation.schema) -%}
                    {%- do adapter.create_schema(relation) -%}
                {%- endif -%}
                {%- set definitions = [] -%}
                {%- for column, type in columns.items() -%}
                    {%- do definitions.append(column ~ ' ' ~ type) -%}
                {%- endfor -%}
                {%- do statements.append(
                    'create table if not exists ' ~ relation ~ ' (' ~ definitions | join(', ') ~ ')'
                ) -%}
                {#- dbt keeps in mind which tables there are and does not hear of this one otherwise. -#}
                {%- do adapter.cache_added(relation) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
    {{- return(statements | join(';\n')) -}}
{% endmacro %}


{% macro is_a_build() %}
    {{- return(flags.WHICH in ('build', 'run')) -}}
{% endmacro %}


{% macro record_start_of_invocation() %}
    {%- if not execute or not can_replace_rows() or not is_a_build() -%}
        {{- return('') -}}
    {%- endif -%}
    {%- set facts = graph.nodes['model.agent_analytics.fct_agent_runs'] -%}
    {%- set unselected = [] -%}
    {%- set names = [] -%}
    {%- for node in graph.nodes.values() if node.resource_type == 'model' and node.schema == facts.schema
        and node.config.materialized not in ('ephemeral', 'view') -%}
        {%- do names.append(node.alias) -%}
        {%- if node.unique_id not in selected_resources -%}{%- do unselected.append(node.unique_id) -%}{%- endif -%}
    {%- endfor -%}
    {%- if flags.WHICH == 'run' or flags.EMPTY -%}
        {%- set kind = 'untested' -%}
    {%- elif not selected_resources -%}
        {%- set kind = 'retry' -%}
    {%- else -%}
        {%- set kind = 'part' if unselected else 'whole' -%}
    {%- endif -%}
    {%- set statements = [_record_of_invocation(kind, none, names | sort | join('\n'))] -%}
    {%- if kind in ('whole', 'untested') -%}
        {#- What was noted before a build of everything, or before one that tests nothing, no longer matters. -#}
        {%- do statements.insert(0, 'delete from ' ~ state_relation('state_invocations') ~ ' where 1 = 1') -%}
    {%- endif -%}
    {{- return(statements | join(';\n')) -}}
{% endmacro %}


{% macro record_end_of_invocation(results) %}
    {%- if not execute or not can_replace_rows() or not is_a_build() -%}
        {{- return('') -}}
    {%- endif -%}
    {%- set failed = [] -%}
    {%- for result in results if result.status | string not in ('success', 'pass', 'warn', 'no-op') -%}
        {%- do failed.append(result) -%}
    {%- endfor -%}
    {{- return(_record_of_invocation('end', not failed, '')) -}}
{% endmacro %}


{% macro _record_of_invocation(kind, is_passed, mart_tables) %}
    {%- set passed = 'cast(null as ' ~ dbt.type_boolean() ~ ')' if is_passed is none else 'true' if is_passed else 'false' -%}
    {{- return(
        'insert into ' ~ state_relation('state_invocations') ~ ' select ' ~ text_literal(invocation_id) ~ ' as invocation_id, '
        ~ text_literal(kind) ~ ' as kind, ' ~ passed ~ ' as is_passed, ' ~ text_literal(mart_tables) ~ ' as mart_tables, '
        ~ current_utc_timestamp() ~ ' as recorded_at'
    ) -}}
{% endmacro %}


{% macro table_builds(names) %}
    {%- set state = state_relation('state_table_builds') if execute and can_replace_rows() else none -%}
    {%- if not names or state is none or load_relation(state) is none -%}
        {{- return({}) -}}
    {%- endif -%}
    {#- Asked many times per model, by dbt itself too; what was built before the model stays the same while it runs. -#}
    {%- set read = model.setdefault('table_builds', {}) -%}
    {%- set unread = [] -%}
    {%- for name in (names + ['int_events', model.name]) | unique if name not in read -%}
        {%- do unread.append(text_literal(name)) -%}
        {%- do read.update({name: none}) -%}
    {%- endfor -%}
    {%- if unread -%}
        {%- set rows = run_query(
            'select table_name, build_number, events_build_number, since_events_build_number, is_whole, inputs'
            ~ ' from ' ~ state ~ ' where table_name in (' ~ unread | join(', ') ~ ') order by build_number, applied_at'
        ).rows -%}
        {%- for row in rows -%}
            {%- set earlier = read[row[0]] or {} -%}
            {%- do read.update({row[0]: {
                'build_number': row[1] | int,
                'events_build_number': row[2] | int,
                'since_events_build_number': row[3] | int,
                'is_whole': row[4],
                'inputs': row[5],
                'whole_build_number': row[1] | int if row[4] else earlier.get('whole_build_number', 0),
                'whole_events_build_number': row[2] | int if row[4] else earlier.get('whole_events_build_number', 0)
            }}) -%}
        {%- endfor -%}
    {%- endif -%}
    {%- set builds = {} -%}
    {%- for name in names if read[name] -%}
        {%- do builds.update({name: read[name]}) -%}
    {%- endfor -%}
    {{- return(builds) -}}
{% endmacro %}


{% macro prune_state_tables() %}
    {%- set builds = state_relation('state_table_builds') if execute and can_replace_rows() else none -%}
    {%- if not is_a_build() or builds is none or load_relation(builds) is none -%}
        {{- return('') -}}
    {%- endif -%}
    {%- set oldest = {} -%}
    {%- for number in ['build_number', 'events_build_number'] -%}
        {%- set newest -%}
select max({{ number }}) as newest from {{ builds }} where table_name in ({{ names_of_histories() }}) group by table_name
        {%- endset -%}
        {%- do oldest.update({number: 'coalesce((select min(newest) from (' ~ newest ~ ') as newest_builds), 0)'}) -%}
    {%- endfor -%}
    {{- return([
        'delete from ' ~ state_relation('state_days_replaced') ~ ' where build_number < ' ~ oldest.build_number,
        'delete from ' ~ state_relation('state_runs_left') ~ ' where events_build_number <= ' ~ oldest.events_build_number,
        'delete from ' ~ state_relation('state_parents_left') ~ ' where events_build_number <= ' ~ oldest.events_build_number,
        'delete from ' ~ builds ~ ' where build_number < ' ~ oldest.build_number ~ ' and events_build_number < '
        ~ oldest.events_build_number
    ] | join(';\n')) -}}
{% endmacro %}


{% macro names_of_histories() %}
    {%- set names = [] -%}
    {%- for node in graph.nodes.values() if node.config.meta.get('history', 'by_load') != 'by_load' -%}
        {%- do names.append(text_literal(node.name)) -%}
    {%- endfor -%}
    {{- return(names | join(', ')) -}}
{% endmacro %}
