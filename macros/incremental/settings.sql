{#- Raised with every change of a model after which rows built before are not those a full refresh
    would make; the next build then asks for one. -#}
{% macro version_of_definitions() %}{{- return(2) -}}{% endmacro %}


{#- What every row depends on, as text: one `name=value` a line. A change cannot be followed row by
    row. Secrets stand in as a hash. -#}
{% macro build_settings() %}
    {{- return([
        'definitions=' ~ version_of_definitions(),
        'rudderstack_database=' ~ var('rudderstack_database'),
        'rudderstack_schemas=' ~ var('rudderstack_schemas') | sort | join(','),
        'rudderstack_parquet_dir=' ~ var('rudderstack_parquet_dir'),
        'reporting_timezone=' ~ var('reporting_timezone'),
        'run_abandoned_after_minutes=' ~ var('run_abandoned_after_minutes'),
        'reask_window_minutes=' ~ var('reask_window_minutes'),
        'AGENT_ANALYTICS_HASH_SALT=' ~ local_md5(env_var('AGENT_ANALYTICS_HASH_SALT', 'development-salt-change-me'))
    ] | join('\n')) -}}
{% endmacro %}


{#- Stop where a setting is another one than in the last build. -#}
{% macro refuse_changed_settings() %}
    {%- if is_incremental_build() -%}
        {%- set last = last_of_build_log('build_settings').split('\n') -%}
        {%- for line in build_settings().split('\n') -%}
            {%- if line not in last -%}
                {{- exceptions.raise_compiler_error(
                    line.split('=')[0] ~ ' is not what it was when the warehouse was built, and every row depends on it (README.md for settings, CHANGELOG.md for definitions); run dbt build --full-refresh'
                ) -}}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
{% endmacro %}


{#- Hash of what is in the warehouse of each seed of which a change touches runs or days; the files may
    not be loaded yet. One `name=hash` a line.

    Arguments
      seeds: relations of the seeds -#}
{% macro seed_contents(seeds) %}
    {%- set contents = [] -%}
    {%- for seed in seeds if execute and model.resource_type != 'unit_test' -%}
        {%- set rows = [] -%}
        {%- if load_relation(seed) is not none -%}
            {%- for row in run_query('select * from ' ~ seed).rows -%}
                {%- do rows.append(row.values() | map('string') | join('|')) -%}
            {%- endfor -%}
        {%- endif -%}
        {%- do contents.append(seed.identifier ~ '=' ~ local_md5(rows | sort | join('\n'))) -%}
    {%- endfor -%}
    {{- return(contents | join('\n')) -}}
{% endmacro %}


{#- Whether a seed has another content than in the last build.

    Arguments
      seed_name: one of those that audit_build_log keeps the contents of -#}
{% macro is_seed_changed(seed_name) %}
    {%- set seed = state_ref(seed_name) -%}
    {%- if not is_incremental_build() -%}
        {{- return(false) -}}
    {%- endif -%}
    {{- return(seed_contents([seed]) not in last_of_build_log('seed_contents').split('\n')) -}}
{% endmacro %}


{% macro last_of_build_log(column) %}
    {%- set last = stored('audit_build_log', 'audit') -%}
    {{- return(run_query(
        'select min(' ~ column ~ ') from ' ~ last ~ ' where build_number = ' ~ last_build_number()
    ).rows[0][0]) -}}
{% endmacro %}


{#- Stop before a fact is made of the touched runs only: what it is built from holds no other runs
    after an incremental build. -#}
{% macro refuse_partial_rebuild() %}
    {#- All three must be there before rows are replaced. -#}
    {%- do state_ref('int_source_reads') -%}
    {%- do state_ref('int_runs_touched') -%}
    {%- do state_ref('int_days_touched') -%}
    {%- if is_incremental_build() and not is_incremental() -%}
        {{- exceptions.raise_compiler_error(this ~ ' is not there any more; run dbt build --full-refresh') -}}
    {%- endif -%}
    {%- if execute and flags.FULL_REFRESH and model.resource_type != 'unit_test' and can_replace_rows()
        and not is_last_build_full() -%}
        {{- exceptions.raise_compiler_error(
            this ~ ' cannot be built whole by itself: what it is built from holds the runs of the last build only; run dbt build --full-refresh'
        ) -}}
    {%- endif -%}
{% endmacro %}


{#- From-clause with raw events of which what fails is not classified by the rules of now.

    Arguments
      events: relation of the raw events
      source_table: name of the raw table
      alias: name of the from-clause, where the statement needs one -#}
{% macro unclassified_events(events, source_table, alias=none) %}
    {%- set is_changed = is_seed_changed('failure_mode_rules') -%}
    {%- set changed = changed_since(events, source_table, alias) -%}
    {{- return(changed if is_incremental() and not is_changed else events ~ (' as ' ~ alias if alias else '')) -}}
{% endmacro %}


{#- Statement that empties a model of classifications, in the transaction that fills it again, when
    the rules are not those it was made by. -#}
{% macro delete_all_when_rules_changed() %}
    {%- set is_changed = is_seed_changed('failure_mode_rules') -%}
    {%- if is_incremental() and is_changed -%}
delete from {{ this }}
    {%- endif -%}
{% endmacro %}
