{% macro load_windows(stored, loaded_date, row_count, time_checksum) %}
    {%- set windows = {} -%}
    {%- for source_table in event_tables() -%}{%- do windows.update({source_table: none}) -%}{%- endfor -%}
    {%- set loads = ref_to_state('int_loads_daily') -%}
    {%- if is_incremental() and load_relation(loads) is not none -%}
        {%- do _add_windows(windows, _load_days(loads, stored, loaded_date, row_count, time_checksum)) -%}
    {%- endif -%}
    {{- return(windows) -}}
{% endmacro %}


{% macro windows_of_rows_staged() %}
    {#- The model and its strategy ask for the same; between them nothing is loaded. -#}
    {%- if 'windows_of_rows_staged' not in graph -%}
        {%- set windows = load_windows(this, 'loaded_date', bigint_sum('raw_rows'), bigint_sum('time_checksum')) -%}
        {%- if not execute -%}{{- return(windows) -}}{%- endif -%}
        {%- do graph.update({'windows_of_rows_staged': windows}) -%}
    {%- endif -%}
    {{- return(graph['windows_of_rows_staged']) -}}
{% endmacro %}


{% macro _load_days(loads, stored, loaded_date, row_count, time_checksum) %}
    {#- A load time in the future would keep later loads from being read. -#}
    {%- set today = "cast('" ~ run_started_at.strftime('%Y-%m-%d') ~ "' as date)" -%}
    {%- set query -%}
with stored as (

    select
        source_table,
        {{ loaded_date }} as loaded_date,
        {{ row_count }} as stored_rows,
        {{ time_checksum }} as stored_checksum
    from {{ stored }}
    group by
        source_table,
        {{ loaded_date }}

),

both_sides as (

    select
        source_table,
        loaded_date,
        raw_rows as loaded_rows,
        0 as known_rows,
        time_checksum as checksum
    from {{ loads }}

    union all

    select
        source_table,
        loaded_date,
        0 as loaded_rows,
        stored_rows as known_rows,
        -1 * stored_checksum as checksum
    from stored

),

days as (

    select
        source_table,
        loaded_date,
        sum(loaded_rows) as loaded_row_count,
        sum(known_rows) as known_row_count,
        sum(checksum) as checksum_difference
    from both_sides
    group by
        source_table,
        loaded_date

)

select
    source_table,
    loaded_date,
    case when loaded_row_count = 0 then 'gone' else 'changed' end as day_kind,
    known_row_count
from days
where
    loaded_row_count != known_row_count
    or checksum_difference != 0

union all

select
    source_table,
    max(loaded_date) as loaded_date,
    'newest' as day_kind,
    sum(stored_rows) as known_row_count
from stored
where
    loaded_date <= {{ today }}
    and loaded_date != {{ date_without_load_time() }}
group by source_table
    {%- endset -%}
    {%- set days = [] -%}
    {%- for row in run_query(query).rows -%}
        {%- do days.append({
            'source_table': row[0],
            'date': modules.datetime.date.fromisoformat((row[1] | string)[:10]),
            'kind': row[2],
            'stored_rows': row[3] | int
        }) -%}
    {%- endfor -%}
    {{- return(days) -}}
{% endmacro %}


{% macro _add_windows(windows, days) %}
    {%- set a_day = modules.datetime.timedelta(days=1) -%}
    {%- for newest in days if newest.kind == 'newest' -%}
        {%- set since = newest.date - whole_number_setting('lookback_days') * a_day -%}
        {%- set ranges = [] -%}
        {%- set kept = [] -%}
        {%- set changed = days | selectattr('source_table', 'equalto', newest.source_table)
            | rejectattr('kind', 'equalto', 'newest') | sort(attribute='date') -%}
        {%- for day in changed -%}
            {%- if day.kind == 'gone' and var('keep_purged_load_days') -%}
                {%- do kept.append(day.date) -%}
            {%- elif day.date < since and ranges and ranges[-1].until == day.date -%}
                {%- do ranges[-1].update({'until': day.date + a_day}) -%}
            {%- elif day.date < since -%}
                {%- do ranges.append({'from': day.date, 'until': day.date + a_day}) -%}
            {%- endif -%}
        {%- endfor -%}
        {#- A condition with hundreds of ranges takes longer than the rows between them. -#}
        {%- if ranges | length > 100 -%}
            {%- set ranges = [{'from': ranges[0]['from'], 'until': ranges[-1].until}] -%}
        {%- endif -%}
        {%- set earliest = ranges[0]['from'] if ranges else since -%}
        {%- do windows.update({newest.source_table: {
            'since': since,
            'ranges': ranges,
            'kept': kept | select('ge', [earliest, since] | min) | list
        }}) -%}
        {%- do _print_gone_days(newest.source_table, changed | selectattr('kind', 'equalto', 'gone') | list) -%}
    {%- endfor -%}
{% endmacro %}


{% macro _print_gone_days(source_table, days) %}
    {%- if days and model.name == 'int_events' and not var('keep_purged_load_days') -%}
        {%- do log(
            source_table ~ ': all ' ~ days | sum(attribute='stored_rows') ~ ' rows of ' ~ days | length ~ ' days of loading from '
            ~ days[0].date ~ ' to ' ~ days[-1].date
            ~ ' are no longer in the raw table, so what was built from them goes (keep_purged_load_days in README.md keeps it)',
            info=true
        ) -%}
    {%- endif -%}
{% endmacro %}


{% macro date_without_load_time() -%}
    cast('1970-01-01' as date)
{%- endmacro %}


{% macro date_of_load() -%}
    coalesce(cast(loaded_at as date), {{ date_without_load_time() }})
{%- endmacro %}


{% macro time_checksum() -%}
    {#- Remainders keep the sum of a day within its type. -#}
    {{ bigint_sum(
        'mod(coalesce(' ~ epoch_milliseconds('loaded_at') ~ ', 0) + coalesce(' ~ epoch_milliseconds('received_at') ~ ', 0), 1000000007)'
    ) }}
{%- endmacro %}


{% macro loaded_in_window(staged, source_table, windows) %}
    {{- return(
        '(select * from ' ~ staged ~ ' where ' ~ is_in_load_window({source_table: windows[source_table]}) ~ ' '
        ~ optimizer_barrier() ~ ') as in_window'
    ) -}}
{% endmacro %}


{% macro is_in_load_window(windows, moment='loaded_at', moment_type=none, is_without_load_time='loaded_at is null') %}
    {%- set conditions = [] -%}
    {%- for source_table, window in windows.items() -%}
        {%- set of_table = 'source_table = ' ~ text_literal(source_table) -%}
        {%- if window is none -%}
            {%- do conditions.append(of_table) -%}
        {%- else -%}
            {%- set read = [_is_between(moment, moment_type, window.since, none), is_without_load_time] -%}
            {%- for range in window.ranges -%}
                {%- do read.append(_is_between(moment, moment_type, range['from'], range.until)) -%}
            {%- endfor -%}
            {%- set kept = [] -%}
            {%- for date in window.kept -%}
                {%- do kept.append(
                    ' and not coalesce(' ~ _is_between(moment, moment_type, date, date + modules.datetime.timedelta(days=1)) ~ ', false)'
                ) -%}
            {%- endfor -%}
            {%- do conditions.append('(' ~ of_table ~ ' and (' ~ read | join(' or ') ~ ')' ~ kept | join ~ ')') -%}
        {%- endif -%}
    {%- endfor -%}
    {{- return('(' ~ conditions | join(' or ') ~ ')') -}}
{% endmacro %}


{% macro _is_between(moment, moment_type, first, until) %}
    {%- set type = moment_type or type_utc_timestamp() -%}
    {%- set condition = moment ~ " >= cast('" ~ first ~ "' as " ~ type ~ ')' -%}
    {{- return(condition if until is none else '(' ~ condition ~ ' and ' ~ moment ~ " < cast('" ~ until ~ "' as " ~ type ~ '))') -}}
{% endmacro %}


{% macro get_incremental_replace_events_sql(arguments) %}
    {%- set left_rows -%}
from {{ arguments.target_relation }}
where
    event_key in (select event_key from {{ arguments.temp_relation }})
    {%- endset -%}
    {%- set date = 'coalesce(' ~ reporting_date('event_at') ~ ", cast('1970-01-01' as date))" -%}
    {%- set statements -%}
insert into {{ state_relation('state_runs_left') }}
select distinct
    run_key,
    conversation_id,
    event_at,
    {{ build_number_of_events() }} as events_build_number
{{ left_rows }}
    and event_disposition = 'accepted';

insert into {{ state_relation('state_parents_left') }}
select distinct
    run_key,
    conversation_id,
    sent_parent_agent_session_id as agent_session_id,
    {{ build_number_of_events() }} as events_build_number
{{ left_rows }}
    and event_disposition = 'accepted'
    and sent_parent_agent_session_id is not null;

insert into {{ state_relation('state_days_replaced') }}
select
    {{ text_literal(model.name) }} as table_name,
    replaced_date,
    {{ build_number_of_events() }} as build_number
from (
    select {{ date }} as replaced_date {{ left_rows }}
    union distinct
    select {{ date }} as replaced_date from {{ arguments.temp_relation }}
    where event_disposition != 'removed'
) as replaced;

delete {{ left_rows }};

{{ insert_new_rows(arguments, "event_disposition != 'removed'") }};
    {%- endset -%}
    {{- return(in_one_transaction(statements)) -}}
{% endmacro %}


{% macro get_incremental_replace_load_days_sql(arguments) %}
    {%- set statements -%}
delete from {{ arguments.target_relation }}
where {{ is_in_load_window(windows_of_rows_staged(), 'loaded_date', 'date', 'loaded_date = ' ~ date_without_load_time()) }};

{{ insert_new_rows(arguments) }};
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
    {%- set days = run_query('select distinct replaced_date from ' ~ days_replaced_since_last_build()).columns[0].values() -%}
    {#- Dates are text on some drivers. -#}
    {%- set dates = days | map('string') | sort -%}
    {%- set conditions = [] -%}
    {%- if '1970-01-01' in dates -%}
        {%- do conditions.append("event_at is null or event_at < cast('1970-01-03' as " ~ type_utc_timestamp() ~ ')') -%}
    {%- endif -%}
    {%- set known = dates | reject('equalto', '1970-01-01') | list -%}
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


{% macro earliest_load_of_new_events(condition, stored_by_event_id=none) %}
    {%- set events = ref_to_state('int_events') -%}
    {%- if not is_incremental() -%}
        {{- return(none) -}}
    {%- endif -%}
    {%- set query -%}
select source_table, loaded_at from {{ events }}
where build_number > {{ applied_events_build_number() }} and {{ condition }}
    {%- if stored_by_event_id %}
union all
-- events of other tables may have the same id
select source_table, loaded_at from {{ events }}
where event_id in (
    select event_id from {{ stored_by_event_id }}
    where {{ is_of_new_events('event_id') }}
)
    {%- endif -%}
    {%- endset -%}
    {%- set since = {} -%}
    {%- for row in run_query(
        'select source_table, min(loaded_at) from (' ~ query ~ ') as loads group by source_table'
    ).rows -%}
        {%- do since.update({row[0]: row[1]}) -%}
    {%- endfor -%}
    {{- return(since) -}}
{% endmacro %}


{% macro is_of_new_events(event_id) %}
    {%- if not is_incremental() -%}
        {{- return('1 = 1') -}}
    {%- endif -%}
    {{- return(
        event_id ~ ' in (select new_events.event_id from ' ~ ref('int_events') ~ ' as new_events where new_events.build_number > '
        ~ applied_events_build_number() ~ ')'
    ) -}}
{% endmacro %}


{% macro get_incremental_replace_answers_sql(arguments) %}
    {%- set statements -%}
delete from {{ arguments.target_relation }}
where {{ is_of_new_events('event_id') }};

{{ insert_new_rows(arguments) }};
    {%- endset -%}
    {{- return(in_one_transaction(statements)) -}}
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
