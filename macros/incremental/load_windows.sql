{% macro load_windows(stored, staged) %}
    {{- return(_load_windows(staged, stored, 'loaded_at', 'count(*)', 'loaded_at is null')) -}}
{% endmacro %}


{% macro load_day_windows(stored, staged) %}
    {{- return(_load_windows(
        staged, stored, 'cast(loaded_date as ' ~ type_utc_timestamp() ~ ')', 'coalesce(sum(raw_rows), 0)',
        "loaded_date = cast('1970-01-01' as date)"
    )) -}}
{% endmacro %}


{% macro _load_windows(staged, stored, loaded_at, row_count, is_without_load_time) %}
    {%- set now = utc_timestamp_literal(run_started_at.strftime("%Y-%m-%d %H:%M:%S.%f")) -%}
    {%- set since = {} -%}
    {#- A load time in the future would keep later loads from being read. -#}
    {%- for row in run_query(
        'select source_table, ' ~ add_minutes('max(' ~ loaded_at ~ ')', -1440 * whole_number_setting('lookback_days')) ~ ' from ' ~ stored
        ~ ' where ' ~ loaded_at ~ ' <= ' ~ now ~ ' and not ' ~ is_without_load_time ~ ' group by source_table'
    ).rows -%}
        {%- do since.update({row[0]: utc_timestamp_literal(row[1])}) -%}
    {%- endfor -%}
    {%- set counts = [] -%}
    {%- for source_table, time in since.items() -%}
        {%- set of_table = 'source_table = ' ~ text_literal(source_table) -%}
        {%- set count -%}
select
    {{ text_literal(source_table) }} as source_table,
    (select count(*) from {{ staged }} where {{ of_table }})
    - (select count(*) from {{ staged }} where {{ of_table }} and (loaded_at >= {{ time }} or loaded_at is null)) as staged_before_count,
    (select {{ row_count }} from {{ stored }} where {{ of_table }})
    - (
        select {{ row_count }} from {{ stored }}
        where {{ of_table }} and ({{ loaded_at }} >= {{ time }} or {{ is_without_load_time }})
    ) as stored_before_count
        {%- endset -%}
        {%- do counts.append(count) -%}
    {%- endfor -%}
    {%- set windows = {} -%}
    {%- for source_table in event_tables() -%}{%- do windows.update({source_table: none}) -%}{%- endfor -%}
    {%- for row in (run_query(counts | join(' union all ')).rows if counts else []) if row[1] <= row[2] -%}
        {%- do windows.update({row[0]: since[row[0]]}) -%}
    {%- endfor -%}
    {{- return(windows) -}}
{% endmacro %}


{% macro loaded_since(staged, source_table, since) %}
    {{- return(
        '(select * from ' ~ staged ~ ' where ' ~ is_in_load_window({source_table: since}) ~ ' ' ~ optimizer_barrier()
        ~ ') as in_window'
    ) -}}
{% endmacro %}


{% macro is_in_load_window(windows) %}
    {%- set conditions = [] -%}
    {%- for source_table, since in windows.items() -%}
        {%- set of_table = 'source_table = ' ~ text_literal(source_table) -%}
        {%- do conditions.append(
            of_table if since is none else '(' ~ of_table ~ ' and (loaded_at >= ' ~ since ~ ' or loaded_at is null))'
        ) -%}
    {%- endfor -%}
    {{- return('(' ~ conditions | join(' or ') ~ ')') -}}
{% endmacro %}


{% macro get_incremental_replace_events_sql(arguments) %}
    {%- set columns = get_quoted_csv(arguments.dest_columns | map(attribute='name')) -%}
    {%- set statements -%}
insert into {{ state_relation('state_runs_left') }}
select distinct
    run_key,
    conversation_id,
    event_at,
    {{ build_number_of_events() }} as events_build_number
from {{ arguments.target_relation }}
where
    event_disposition = 'accepted'
    and event_key in (select event_key from {{ arguments.temp_relation }});

delete from {{ arguments.target_relation }}
where event_key in (select event_key from {{ arguments.temp_relation }});

insert into {{ arguments.target_relation }} ({{ columns }})
select {{ columns }}
from {{ arguments.temp_relation }};
    {%- endset -%}
    {{- return(in_one_transaction(statements)) -}}
{% endmacro %}


{% macro build_number_of_events() %}
    {%- if not execute or model.resource_type == 'unit_test' -%}
        {{- return(1) -}}
    {%- endif -%}
    {{- return(table_builds(['int_events']).get('int_events', {}).get('build_number', 0) + 1) -}}
{% endmacro %}


{% macro applied_events_build_number() %}
    {{- return(table_builds([model.name]).get(model.name, {}).get('events_build_number', 0)) -}}
{% endmacro %}


{% macro where_on_days_of_new_events() %}
    {%- if not is_incremental() -%}
        {{- return('') -}}
    {%- endif -%}
    {%- set days = run_query(
        'select distinct ' ~ reporting_date('event_at') ~ ' as event_date from ' ~ ref('int_events')
        ~ ' where build_number > ' ~ applied_events_build_number()
    ).columns[0].values() -%}
    {%- set known = days | reject('none') | sort -%}
    {%- set conditions = ['event_at is null'] if none in days else [] -%}
    {%- if known -%}
        {#- A day more on either side: days are cut in another time zone than times. -#}
        {%- do conditions.append(
            '(event_at >= ' ~ add_minutes(utc_timestamp_literal(known[0]), -1440)
            ~ ' and event_at < ' ~ add_minutes(utc_timestamp_literal(known[-1]), 2880)
            ~ ' and ' ~ reporting_date('event_at') ~ " in (cast('" ~ known | join("' as date), cast('") ~ "' as date)))"
        ) -%}
    {%- endif -%}
    {{- return('where (' ~ (conditions | join(' or ') or '1 = 0') ~ ')') -}}
{% endmacro %}


{% macro earliest_load_of_new_events(condition) %}
    {%- set events = ref_to_state('int_events') -%}
    {%- if not is_incremental() -%}
        {{- return(none) -}}
    {%- endif -%}
    {%- set since = {} -%}
    {%- for row in run_query(
        'select source_table, min(loaded_at) from ' ~ events ~ ' where build_number > ' ~ applied_events_build_number()
        ~ ' and ' ~ condition ~ ' group by source_table'
    ).rows -%}
        {%- do since.update({row[0]: row[1]}) -%}
    {%- endfor -%}
    {{- return(since) -}}
{% endmacro %}


{% macro raw_events_since(events, source_table, since, alias=none) %}
    {%- if since is none -%}
        {{- return(events ~ (' as ' ~ alias if alias else '')) -}}
    {%- endif -%}
    {%- set condition = '1 = 0' -%}
    {%- if source_table in since -%}
        {%- set condition = 'loaded_at is null' -%}
        {%- if since[source_table] is not none -%}
            {%- set condition = 'loaded_at >= ' ~ utc_timestamp_literal(since[source_table]) ~ ' or ' ~ condition -%}
        {%- endif -%}
    {%- endif -%}
    {{- return('(select * from ' ~ events ~ ' where ' ~ condition ~ ' ' ~ optimizer_barrier() ~ ') as ' ~ (alias or 'new_events')) -}}
{% endmacro %}
