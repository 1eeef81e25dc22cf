{#- Whether this build continues what an earlier one left. False on a full refresh, before the first
    build has ended, in unit tests, and on engines that cannot replace rows: there every model is
    built whole. -#}
{% macro is_incremental_build() %}
    {%- if not execute or flags.FULL_REFRESH or model.resource_type == 'unit_test' or not can_replace_rows() -%}
        {{- return(false) -}}
    {%- endif -%}
    {{- return(stored('audit_build_log', 'audit') is not none) -}}
{% endmacro %}


{#- dbt's own question before it adds to a table, answered for the whole build: what a first build left
    that did not end, or a version of this project that kept no log, is made anew and not added to. -#}
{% macro should_full_refresh() %}
    {%- set configured = config.get('full_refresh') -%}
    {%- if configured is not none -%}
        {{- return(configured) -}}
    {%- elif model.resource_type != 'model' -%}
        {{- return(flags.FULL_REFRESH) -}}
    {%- endif -%}
    {{- return(not is_incremental_build()) -}}
{% endmacro %}


{#- ref() of a model that says what this build has to do, or none in a unit test, which shows a full
    build and need not name it.

    Arguments
      model_name: name of the model -#}
{% macro state_ref(model_name) %}
    {{- return(none if model.resource_type == 'unit_test' else ref(model_name)) -}}
{% endmacro %}


{#- What the last build left in a model further down the graph, or none where there is nothing.
    Not by ref(): that model is built from the one that asks, so a ref would close a circle.

    Arguments
      model_name: name of the model
      schema_name: its custom schema, without the prefix of the target -#}
{% macro stored(model_name, schema_name='intermediate') %}
    {{- return(load_relation(this.incorporate(path={
        'schema': generate_schema_name(schema_name, none), 'identifier': model_name
    }))) -}}
{% endmacro %}


{#- Whether the build under way, or else the last one, makes every row anew. True where nothing was built. -#}
{% macro is_last_build_full() %}
    {%- set reads = stored('int_source_reads') if execute else none -%}
    {%- if reads is none -%}
        {{- return(true) -}}
    {%- endif -%}
    {{- return(run_query('select count(*) from ' ~ reads ~ ' where is_full_build').rows[0][0] > 0) -}}
{% endmacro %}


{#- Number of the last build that ended well; what has a later number is not finished. -#}
{% macro last_build_number() -%}
    (select max(build_number) from {{ stored('audit_build_log', 'audit') }})
{%- endmacro %}


{#- Number of the build that is under way, as a literal. -#}
{% macro build_number() %}
    {%- set reads = state_ref('int_source_reads') -%}
    {%- if not execute or model.resource_type == 'unit_test' or load_relation(reads) is none -%}
        {{- return('1') -}}
    {%- endif -%}
    {{- return(run_query('select max(build_number) from ' ~ reads).rows[0][0] | string) -}}
{% endmacro %}


{#- Condition on a staged event: it was loaded since the last build, or so shortly before that its
    table may not have been complete then. Always true on a full build.

    Arguments
      source_table: name of the raw table
      whole_days: whether to go back to the start of that day, in UTC -#}
{% macro is_loaded_since(source_table, whole_days=false) %}
    {%- set reads = state_ref('int_source_reads') -%}
    {%- if is_incremental_build() -%}
        {%- set read_from = run_query(
            'select ' ~ ('cast(read_from_at as date)' if whole_days else 'read_from_at') ~ ' from ' ~ reads
            ~ ' where source_table = ' ~ text_literal(source_table)
        ).rows[0][0] -%}
        {%- if read_from is not none -%}
            {{- return('(loaded_at >= ' ~ utc_timestamp_literal(read_from) ~ ' or loaded_at is null)') -}}
        {%- endif -%}
    {%- endif -%}
    {{- return('1 = 1') -}}
{% endmacro %}


{#- From-clause with the events of one table loaded since the last build, or so shortly before that the
    table may not have been complete then; on a full build all of them. Conditions of the statement
    around it stay outside of it, where they do not keep the engine from skipping what is older.

    Arguments
      events: relation of the staged or raw events
      source_table: name of the raw table -#}
{% macro loaded_since(events, source_table) %}
    {%- set is_loaded = is_loaded_since(source_table) -%}
    {%- if is_loaded == '1 = 1' -%}
        {{- return(events) -}}
    {%- endif -%}
    {{- return('(select * from ' ~ events ~ ' where ' ~ is_loaded ~ ' ' ~ filter_fence() ~ ') as loaded_events') -}}
{% endmacro %}


{#- From-clause with the events of one table that were loaded as late as any delivery that this build
    stores: fewer than loaded_since() has, which also reads what is stored already. All of them on a
    full build.

    Arguments
      events: relation of the staged or raw events
      source_table: name of the raw table
      alias: name of the from-clause, where the statement needs one -#}
{% macro changed_since(events, source_table, alias=none) %}
    {%- set changed = state_ref('int_events_changed') -%}
    {%- if not is_incremental_build() -%}
        {{- return(events ~ (' as ' ~ alias if alias else '')) -}}
    {%- endif -%}
    {%- set since = run_query(
        'select min(earliest_loaded_at) from ' ~ changed ~ ' where source_table = ' ~ text_literal(source_table)
    ).rows[0][0] -%}
    {%- set is_loaded = 'loaded_at is null' -%}
    {%- if since is not none -%}
        {%- set is_loaded = 'loaded_at >= ' ~ utc_timestamp_literal(since) ~ ' or loaded_at is null' -%}
    {%- endif -%}
    {{- return(
        '(select * from ' ~ events ~ ' where ' ~ is_loaded ~ ' ' ~ filter_fence() ~ ') as ' ~ (alias or 'loaded_events')
    ) -}}
{% endmacro %}


{#- From-clause with the rows of a table that were loaded when anything was that this build reads, from
    whatever raw table; the whole table where one of these is read whole.

    Arguments
      relation: table with `loaded_at` -#}
{% macro recently_loaded(relation) %}
    {%- set reads = state_ref('int_source_reads') -%}
    {%- set read_from = run_query(
        'select min(read_from_at), count(*) - count(read_from_at) from ' ~ reads
    ).rows[0] if execute else [none, 0] -%}
    {%- if read_from[0] is none or read_from[1] > 0 -%}
        {{- return(relation) -}}
    {%- endif -%}
    {{- return(
        '(select * from ' ~ relation ~ ' where loaded_at >= ' ~ utc_timestamp_literal(read_from[0])
        ~ ' or loaded_at is null ' ~ filter_fence() ~ ')'
    ) -}}
{% endmacro %}


{#- From-clause with the events of one table that this build has to identify: on a full build all
    that are staged; on an incremental one all deliveries of those that are new, came once more, or
    may now find their ids.

    Arguments
      source_table: name of the raw table
      staged: relation of its staging model -#}
{% macro events_to_identify(source_table, staged) %}
    {%- set changed = state_ref('int_events_changed') -%}
    {%- if not is_incremental_build() -%}
        {{- return(staged) -}}
    {%- endif -%}
    {%- set is_changed -%}
        event_key in (select event_key from {{ changed }} where source_table = '{{ source_table }}')
    {%- endset -%}
    {%- set columns = adapter.get_columns_in_relation(staged) -%}
    {#- What identified events keep of the ids that were sent. -#}
    {%- set has_agent_session = event_tables()[source_table].has_agent_session -%}
    {%- set as_sent = {
        'sent_conversation_id': 'case when has_sent_conversation_id then conversation_id end',
        'sent_interaction_id':
            'case when has_sent_interaction_id then interaction_id end' if has_agent_session else 'interaction_id',
        'sent_agent_session_id': 'agent_session_id'
    } -%}
    {%- set stored_before_count = run_query(
        'select count(*) from ' ~ changed ~ ' where is_stored_before and source_table = ' ~ text_literal(source_table)
    ).rows[0][0] -%}
    {%- set selected -%}
(
        select {{ columns | map(attribute='quoted') | join(', ') }}
        from {{ changed_since(staged, source_table) }}
        where {{ is_changed }}
        {%- if stored_before_count > 0 %}
        union all
        select
            {%- for column in columns %}
            {{ as_sent.get(column.name | lower, column.quoted) }} as {{ column.quoted }}{{ ',' if not loop.last }}
            {%- endfor %}
        from {{ this }}
        where not {{ is_loaded_since(source_table) }} and {{ is_changed }}
        {%- endif %}
    )
    {%- endset -%}
    {{- return(selected) -}}
{% endmacro %}


{#- Condition on rows of runs: the run is one of those whose rows this build replaces. Always true on
    a full build.

    Arguments
      time_column: time of the event, or day of the row, which lies within the time of its run -#}
{% macro of_touched_runs(time_column) %}
    {%- set touched = state_ref('int_runs_touched') -%}
    {%- if not is_incremental_build() -%}
        {{- return('1 = 1') -}}
    {%- endif -%}
    {{- return(is_of_runs(touched, time_column)) -}}
{% endmacro %}


{#- Condition on rows of runs: the run is one of those in int_runs_touched.

    Arguments
      touched: relation of int_runs_touched
      time_column: time of the event, or day of the row, which lies within the time of its run -#}
{% macro is_of_runs(touched, time_column) %}
    {#- The range lets the engine skip what is older. -#}
    {%- set range = run_query('select min(earliest_at), max(latest_at) from ' ~ touched).rows[0] -%}
    {%- if range[0] is none -%}
        {{- return('1 = 0') -}}
    {%- endif -%}
    {%- set condition -%}
        run_key in (select run_key from {{ touched }})
        and {{ time_column }} >= {{ utc_timestamp_literal(range[0]) }}
        and {{ time_column }} <= {{ utc_timestamp_literal(range[1]) }}
    {%- endset -%}
    {{- return('(' ~ condition ~ ')') -}}
{% endmacro %}


{#- From-clause with the runs this build leaves as they are, or none on a full build. -#}
{% macro untouched_runs() %}
    {%- set touched = state_ref('int_runs_touched') -%}
    {%- if not is_incremental_build() -%}
        {{- return(none) -}}
    {%- endif -%}
    {%- set runs -%}
(
        select * from {{ stored('fct_agent_runs', 'marts') }}
        where run_key not in (select run_key from {{ touched }})
    )
    {%- endset -%}
    {{- return(runs) -}}
{% endmacro %}


{#- Where-clause on identified events: those of days on which this build has identified any. Empty
    when the model is built whole. -#}
{% macro where_on_days_of_new_events() %}
    {%- if not is_incremental() or not is_incremental_build() -%}
        {{- return('') -}}
    {%- endif -%}
    {%- set selects = [] -%}
    {%- for table in event_tables().values() -%}
        {%- do selects.append(
            'select ' ~ reporting_date('event_at') ~ ' as event_date from ' ~ ref('int_' ~ table.name ~ '_identified')
            ~ ' where build_number > ' ~ last_build_number()
        ) -%}
    {%- endfor -%}
    {%- set days = run_query(selects | join(' union ')).columns[0].values() -%}
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


{#- Time of the newest accepted event as a literal, or null. Looked for among the newest, where it
    nearly always is. -#}
{% macro newest_event_at() %}
    {%- set newest = run_query(
        'select ' ~ add_minutes('max(last_event_at)', -1440) ~ ' from ' ~ stored('fct_agent_runs', 'marts')
    ).rows[0][0] -%}
    {%- for since in [newest, none] -%}
        {%- set ends = [] -%}
        {%- for table in event_tables().values() -%}
            {%- set end -%}
                select max(event_at) as newest_event_at
                from {{ ref('int_' ~ table.name ~ '_identified') }}
                where event_disposition = 'accepted'
                {%- if since is not none %} and event_at >= {{ utc_timestamp_literal(since) }}{% endif -%}
            {%- endset -%}
            {%- do ends.append(end) -%}
        {%- endfor -%}
        {%- set found = run_query(
            'select max(newest_event_at) from (' ~ ends | join(' union all ') ~ ') as ends'
        ).rows[0][0] -%}
        {%- if found is not none -%}
            {{- return(utc_timestamp_literal(found)) -}}
        {%- endif -%}
    {%- endfor -%}
    {{- return('cast(null as ' ~ type_utc_timestamp() ~ ')') -}}
{% endmacro %}
