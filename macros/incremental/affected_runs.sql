{% macro fact_by_run(date_column, key_column) %}
    {#- What is replaced; named here so that the graph shows it. -#}
    {%- do ref_to_state('int_runs_affected') -%}
    {%- set settings = dict(physical_design(date_column, key_column, 'run_key')) -%}
    {%- do settings.update({
        'materialized': incremental_where_possible(),
        'incremental_strategy': 'replace_affected_runs',
        'unique_key': 'run_key',
        'on_schema_change': 'fail',
        'meta': {'history': 'by_run', 'tested_by_day': date_column}
    }) -%}
    {{- return(settings) -}}
{% endmacro %}


{% macro get_incremental_replace_affected_runs_sql(arguments) %}
    {%- set day = model.config.meta.tested_by_day -%}
    {%- set affected = ref('int_runs_affected') -%}
    {%- set statements -%}
insert into {{ state_relation('state_days_replaced') }}
select
    {{ text_literal(model.name) }} as table_name,
    replaced_date,
    (
        select max(build_number) from {{ state_relation('state_table_builds') }}
        where table_name = 'int_runs_affected'
    ) as build_number
from (
    select {{ day }} as replaced_date from {{ arguments.target_relation }}
    where run_key in (select run_key from {{ affected }})
    union distinct
    select {{ day }} as replaced_date from {{ arguments.temp_relation }}
) as replaced
where replaced_date is not null;

delete from {{ arguments.target_relation }}
where run_key in (select run_key from {{ affected }});

{{ insert_new_rows(arguments) }};
    {%- endset -%}
    {{- return(in_one_transaction(statements)) -}}
{% endmacro %}


{% macro of_affected_runs(time_column) %}
    {%- set affected = ref_to_state('int_runs_affected') -%}
    {%- if not execute or affected is none or not can_replace_rows() or flags.EMPTY -%}
        {{- return('1 = 1') -}}
    {%- endif -%}
    {%- set build = table_builds(['int_runs_affected']).get('int_runs_affected') -%}
    {%- if build is none or build.is_whole -%}
        {{- return('1 = 1') -}}
    {%- endif -%}
    {#- All models of a command have one graph: those that read the same runs ask for their times once. -#}
    {%- set known = graph.get('times_of_affected_runs', {}) -%}
    {%- if build.build_number not in known -%}
        {%- do known.update({
            build.build_number: run_query('select min(earliest_at), max(latest_at) from ' ~ affected).rows[0]
        }) -%}
        {%- do graph.update({'times_of_affected_runs': known}) -%}
    {%- endif -%}
    {%- set range = known[build.build_number] -%}
    {%- if range[0] is none -%}
        {{- return('1 = 0') -}}
    {%- endif -%}
    {{- return(
        '(run_key in (select run_key from ' ~ affected ~ ') and ' ~ time_column ~ ' >= ' ~ utc_timestamp_literal(range[0])
        ~ ' and ' ~ time_column ~ ' <= ' ~ utc_timestamp_literal(range[1]) ~ ')'
    ) -}}
{% endmacro %}


{% macro first_build_to_apply() %}
    {%- if not execute or not can_replace_rows() or flags.FULL_REFRESH or flags.EMPTY or model.resource_type == 'unit_test' -%}
        {{- return(0) -}}
    {%- endif -%}
    {%- set facts = [] -%}
    {%- set missing = [] -%}
    {%- for node in graph.nodes.values() if node.config.meta.get('history') == 'by_run' -%}
        {%- do facts.append(node.name) -%}
        {%- set relation = api.Relation.create(database=node.database, schema=node.schema, identifier=node.alias) -%}
        {%- if load_relation(relation) is none -%}{%- do missing.append(node.name) -%}{%- endif -%}
    {%- endfor -%}
    {%- set builds = table_builds(facts + ['int_events', 'int_runs_affected']) -%}
    {%- set affected = builds.get('int_runs_affected') -%}
    {%- if missing or affected is none or affected.inputs != contents_of_seeds(model) -%}
        {{- return(0) -}}
    {%- endif -%}
    {%- set numbers = [] -%}
    {%- for fact in facts -%}
        {%- set build = builds.get(fact) -%}
        {%- if build is none or build.build_number < affected.whole_build_number
            or build.events_build_number < builds['int_events'].whole_events_build_number -%}
            {{- return(0) -}}
        {%- endif -%}
        {%- do numbers.append(build.events_build_number) -%}
    {%- endfor -%}
    {{- return(numbers | min) -}}
{% endmacro %}


{% macro newest_event_at() -%}
    select
        coalesce(
            -- a time that was neither sent nor that of the arrival moves no clock
            max(case
                when not has_clock_skew or event_at = received_at then least(event_at, coalesce(received_at, event_at))
            end),
            max(event_at)
        ) as newest_event_at
    from {{ ref('int_events') }}
    where event_disposition = 'accepted'
{%- endmacro %}


{% macro last_of_conversation_rank() -%}
    row_number() over (partition by conversation_id order by last_event_at desc, {{ key_order('run_key') }} desc)
{%- endmacro %}


{% macro abandoned_between(since) %}
    {%- set clocks = run_query(
        'select min(newest_event_at), max(newest_event_at) from (select newest_event_at from '
        ~ state_relation('state_table_builds') ~ " where table_name = 'int_runs_affected' and events_build_number >= " ~ since
        ~ ' union all ' ~ newest_event_at() ~ ') as clocks'
    ).rows[0] -%}
    {%- set ends = {} -%}
    {%- for name in ['after', 'until'] -%}
        {%- set clock = clocks[loop.index0] -%}
        {%- do ends.update({name:
            'cast(null as ' ~ type_utc_timestamp() ~ ')' if clock is none
            else add_minutes(utc_timestamp_literal(clock), -1 * whole_number_setting('run_abandoned_after_minutes'))
        }) -%}
    {%- endfor -%}
    {{- return(ends) -}}
{% endmacro %}
