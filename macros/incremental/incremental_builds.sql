{% macro should_full_refresh() %}
    {%- set configured = config.get('full_refresh') -%}
    {%- if configured is not none -%}
        {{- return(configured) -}}
    {%- elif flags.FULL_REFRESH or model.resource_type != 'model' -%}
        {{- return(flags.FULL_REFRESH) -}}
    {%- endif -%}
    {{- return(execute and is_rebuilt_whole()) -}}
{% endmacro %}


{% macro is_rebuilt_whole() %}
    {%- set history = model.config.meta.get('history') -%}
    {%- if not can_replace_rows() -%}
        {{- return(true) -}}
    {%- elif not history -%}
        {{- return(false) -}}
    {%- endif -%}
    {%- set inputs = names_of_inputs() -%}
    {%- set builds = table_builds(inputs.of_runs + inputs.of_events + [model.name]) -%}
    {%- set own = builds.get(model.name) -%}
    {%- if own is none or own.inputs == 'dropped' or history != 'events' and own.inputs != contents_of_inputs() -%}
        {{- return(true) -}}
    {%- endif -%}
    {%- set found = [] -%}
    {%- for input in inputs.of_runs if input in builds -%}
        {%- if history == 'by_run' -%}
            {%- do found.append(builds[input].is_whole) -%}
        {%- elif history == 'by_day' -%}
            {%- do found.append(builds[input].whole_build_number > own.build_number) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- for input in inputs.of_events if input in builds and history == 'by_event' -%}
        {%- do found.append(builds[input].whole_events_build_number > own.events_build_number) -%}
    {%- endfor -%}
    {{- return(true in found) -}}
{% endmacro %}


{% macro contents_of_inputs() %}
    {#- What counts raw rows reads no seed and no table that tells of another version. -#}
    {{- return(
        'definitions=' ~ version_of_definitions() if model.config.meta.get('history') == 'by_load' else contents_of_seeds(model)
    ) -}}
{% endmacro %}


{% macro names_of_inputs() %}
    {#- Asked several times for each model, and dbt makes a dict of a whole node each time it is looked at. -#}
    {%- if 'names_of_inputs' not in graph -%}{%- do graph.update({'names_of_inputs': {}}) -%}{%- endif -%}
    {%- if model.unique_id in graph['names_of_inputs'] -%}
        {{- return(graph['names_of_inputs'][model.unique_id]) -}}
    {%- endif -%}
    {%- set inputs = {'of_runs': [], 'of_events': []} -%}
    {%- for unique_id in model.depends_on.nodes if unique_id in graph.nodes -%}
        {%- set node = graph.nodes[unique_id] -%}
        {%- set meta = node.config.meta -%}
        {%- if meta.get('working') or meta.get('history') == 'by_run' -%}
            {%- do inputs.of_runs.append(node.name) -%}
        {%- elif meta.get('history') in ('events', 'by_event') -%}
            {%- do inputs.of_events.append(node.name) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if execute -%}{%- do graph['names_of_inputs'].update({model.unique_id: inputs}) -%}{%- endif -%}
    {{- return(inputs) -}}
{% endmacro %}


{% macro check_inputs() %}
    {%- set meta = model.config.meta -%}
    {%- if not execute or not can_replace_rows() or not (meta.get('history') or meta.get('working')) -%}
        {{- return('') -}}
    {%- endif -%}
    {%- set inputs = names_of_inputs() -%}
    {%- set builds = table_builds(inputs.of_runs + inputs.of_events + [model.name, 'int_events']) -%}
    {%- set events = builds.get('int_events') -%}
    {%- if flags.EMPTY -%}
        {%- if events is not none -%}
            {%- do exceptions.raise_compiler_error(
                model.name ~ ' has rows that --empty would take away; run dbt build --empty in a schema of its own (--target)'
            ) -%}
        {%- endif -%}
        {{- return('') -}}
    {%- endif -%}
    {#- A table that was dropped is rebuilt whole, under the number that follows. -#}
    {%- set statement = '' -%}
    {%- if meta.get('history') and model.name in builds and load_relation(this) is none -%}
        {%- set statement -%}
update {{ state_relation('state_table_builds') }} set inputs = 'dropped' where table_name = {{ text_literal(model.name) }}
        {%- endset -%}
    {%- endif -%}
    {%- if meta.get('history') == 'events' -%}
        {%- do refuse_changed_settings(events) -%}
        {{- return(statement) -}}
    {%- endif -%}
    {%- for input in inputs.of_runs + inputs.of_events if input not in builds -%}
        {%- do exceptions.raise_compiler_error(
            model.name ~ ' is made of ' ~ input ~ ', which was not built in ' ~ state_relation(input).schema
            ~ ' and its like; run dbt build --select +' ~ model.name
        ) -%}
    {%- endfor -%}
    {%- if events is not none -%}{%- do refuse_changed_settings(events) -%}{%- endif -%}
    {%- if meta.get('build_state') or meta.get('history') in ('by_load', 'by_event', 'by_day') -%}
        {{- return(statement) -}}
    {%- endif -%}
    {%- set numbers = {} -%}
    {%- for input in inputs.of_runs -%}
        {%- do numbers.update({builds[input].build_number: input}) -%}
    {%- endfor -%}
    {%- if numbers | length > 1 -%}
        {%- do exceptions.raise_compiler_error(
            model.name ~ ': ' ~ numbers.values() | sort | join(' and ') ~ ' were built for different runs; run dbt build'
        ) -%}
    {%- endif -%}
    {%- set batch = builds[inputs.of_runs | first] -%}
    {%- for input in inputs.of_events if builds[input].events_build_number != batch.events_build_number -%}
        {%- do exceptions.raise_compiler_error(
            model.name ~ ': ' ~ input ~ ' and ' ~ inputs.of_runs | first ~ ' were built from different events; run dbt build'
        ) -%}
    {%- endfor -%}
    {%- if meta.get('history') == 'by_run' and not batch.is_whole -%}
        {%- set own = builds.get(model.name) -%}
        {%- if own is none or flags.FULL_REFRESH or load_relation(this) is none
            or own.events_build_number < batch.since_events_build_number -%}
            {%- do exceptions.raise_compiler_error(
                model.name ~ ' cannot be built from the runs of the last build alone; run dbt build'
                ~ (' --full-refresh' if flags.FULL_REFRESH else '')
            ) -%}
        {%- endif -%}
    {%- endif -%}
    {{- return(statement) -}}
{% endmacro %}


{% macro record_build() %}
    {%- set meta = model.config.meta -%}
    {%- if not execute or flags.EMPTY or not can_replace_rows() or not (meta.get('history') or meta.get('working')) -%}
        {{- return('') -}}
    {%- endif -%}
    {%- if meta.get('history') in ('events', 'by_load') -%}
        {%- set number = table_builds([model.name]).get(model.name, {}).get('build_number', 0) + 1 -%}
        {%- set inputs = build_settings() if meta.history == 'events' else contents_of_inputs() -%}
        {{- return(_record_of_build(number, number, 0, should_full_refresh(), inputs)) -}}
    {%- elif meta.get('history') == 'by_event' -%}
        {%- set number = table_builds(['int_events'])['int_events'].build_number -%}
        {{- return(_record_of_build(number, number, 0, should_full_refresh(), contents_of_seeds(model))) -}}
    {%- elif meta.get('build_state') -%}
        {%- set builds = table_builds(['int_events', model.name]) -%}
        {%- set since = first_build_to_apply() -%}
        {{- return(_record_of_build(
            builds.get(model.name, {}).get('build_number', 0) + 1, builds['int_events'].build_number, since, since == 0,
            contents_of_seeds(model), newest_event_at()
        )) -}}
    {%- endif -%}
    {%- set state = state_relation('state_table_builds') -%}
    {%- set statement -%}
insert into {{ state }}
select
    {{ text_literal(model.name) }} as table_name,
    {#- The least: a rollup may read facts of which one is a build behind. #}
    min(builds.build_number) as build_number,
    min(builds.events_build_number) as events_build_number,
    min(builds.since_events_build_number) as since_events_build_number,
    {% if meta.get('history') -%}
    {{ 'true' if should_full_refresh() else 'false' }} as is_whole,
    {{ text_literal(contents_of_seeds(model)) }} as inputs,
    {%- else -%}
    min(case when builds.is_whole then 1 else 0 end) = 1 as is_whole,
    '' as inputs,
    {%- endif %}
    cast(null as {{ type_utc_timestamp() }}) as newest_event_at,
    {{ current_utc_timestamp() }} as applied_at
from {{ state }} as builds
inner join (
    select table_name, max(build_number) as build_number
    from {{ state }}
    where table_name in ({{ quoted_names_of_inputs() }})
    group by table_name
) as newest on builds.table_name = newest.table_name and builds.build_number = newest.build_number
    {%- endset -%}
    {{- return(statement) -}}
{% endmacro %}


{% macro _record_of_build(build_number, events_build_number, since, is_whole, inputs, newest_event_at=none) %}
    {%- set statement -%}
insert into {{ state_relation('state_table_builds') }}
select
    {{ text_literal(model.name) }} as table_name,
    {{ build_number }} as build_number,
    {{ events_build_number }} as events_build_number,
    {{ since }} as since_events_build_number,
    {{ 'true' if is_whole else 'false' }} as is_whole,
    {{ text_literal(inputs) }} as inputs,
    {{ '(' ~ newest_event_at ~ ')' if newest_event_at else 'cast(null as ' ~ type_utc_timestamp() ~ ')' }} as newest_event_at,
    {{ current_utc_timestamp() }} as applied_at
    {%- endset -%}
    {{- return(statement) -}}
{% endmacro %}


{% macro ref_to_state(model_name) %}
    {{- return(none if model.resource_type == 'unit_test' else ref(model_name)) -}}
{% endmacro %}


{% macro insert_new_rows(arguments, condition='1 = 1') -%}
    {%- set columns = get_quoted_csv(arguments.dest_columns | map(attribute='name')) -%}
insert into {{ arguments.target_relation }} ({{ columns }})
select {{ columns }}
from {{ arguments.temp_relation }}
where {{ condition }}
{%- endmacro %}
