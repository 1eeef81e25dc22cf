{% macro allowed_settings() %}
    {%- set a_century_of_days = 36500 -%}
    {%- set a_century_of_minutes = a_century_of_days * 1440 -%}
    {{- return({
        'rudderstack_database': {'kind': 'name', 'allowed': "the name of a database, or null for the target's"},
        'rudderstack_schemas': {'kind': 'names', 'allowed': 'a list of different schema names, such as [rudderstack]'},
        'rudderstack_parquet_dir': {'kind': 'name', 'allowed': 'the path of a folder, or null to read schemas'},
        'lookback_days': {'kind': 'whole number', 'least': 0, 'most': a_century_of_days},
        'keep_purged_load_days': {'kind': 'boolean', 'allowed': 'true or false, without quotes'},
        'reporting_timezone': {'kind': 'time zone', 'allowed': 'an IANA time zone as it is spelled there, such as Europe/Berlin or UTC'},
        'passthrough_columns': {
            'kind': 'properties',
            'allowed': 'a list of different properties as their columns are called in the raw tables, such as [tenant_id], that are no'
                ~ ' columns of fct_agent_runs and hold no texts of people'
        },
        'run_abandoned_after_minutes': {'kind': 'whole number', 'least': 1, 'most': a_century_of_minutes},
        'reask_window_minutes': {'kind': 'whole number', 'least': 0, 'most': a_century_of_minutes},
        'analysis_window_days': {'kind': 'whole number', 'least': 1, 'most': a_century_of_days},
        'unknown_word_share': {'kind': 'share', 'allowed': 'a number from 0 to 1, such as 0.01'},
        'test_whole_history': {'kind': 'boolean', 'allowed': 'true or false, without quotes'}
    }) -}}
{% endmacro %}


{% macro whole_number_setting(name) %}
    {{- return(var(name) | int) -}}
{% endmacro %}


{% macro check_settings() %}
    {%- if not execute -%}
        {{- return('') -}}
    {%- endif -%}
    {%- set problems = [] -%}
    {%- for name, setting in allowed_settings().items() -%}
        {%- set value = var(name) -%}
        {%- if not is_allowed_setting(value, setting) -%}
            {%- do problems.append(
                name ~ ' is ' ~ tojson(value, value | string) ~ '; allowed is '
                ~ setting.get('allowed', 'a whole number from ' ~ setting.least ~ ' to ' ~ setting.most)
                ~ '; correct it in --vars or dbt_project.yml'
            ) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- for name in invocation_args_dict.get('vars') or {} if project_name == 'agent_analytics' and name not in allowed_settings() -%}
        {%- do problems.append(
            name ~ ' is no setting; allowed in --vars are ' ~ allowed_settings() | join(', ') ~ '; correct its spelling'
        ) -%}
    {%- endfor -%}
    {%- if not salt_setting() | trim -%}
        {%- do problems.append(
            'AGENT_ANALYTICS_HASH_SALT is empty, so that hashes could be guessed; allowed is any other text; set a secret and keep it'
        ) -%}
    {%- endif -%}
    {%- if target.threads < 1 -%}
        {%- do problems.append(
            'AGENT_ANALYTICS_THREADS is no number of threads; allowed is a whole number from 1; correct it or leave it unset'
        ) -%}
    {%- endif -%}
    {%- if problems -%}
        {%- do exceptions.raise_compiler_error(problems | join('\n')) -%}
    {%- endif -%}
    {{- return('') -}}
{% endmacro %}


{% macro is_allowed_setting(value, setting) %}
    {%- if setting.kind == 'name' -%}
        {{- return(value is none or value is string and value | trim != '') -}}
    {%- elif setting.kind == 'names' -%}
        {%- set names = [] -%}
        {%- set is_list = value is sequence and value is not string and value is not mapping -%}
        {%- for name in (value if is_list else []) -%}
            {%- do names.append(name | trim | lower if name is string else '') -%}
        {%- endfor -%}
        {{- return(names | length > 0 and '' not in names and names | unique | list | length == names | length) -}}
    {%- elif setting.kind == 'properties' -%}
        {%- set is_list = value is sequence and value is not string and value is not mapping -%}
        {%- set columns_of_runs = graph.get('nodes', {}).get('model.agent_analytics.fct_agent_runs', {}).get('columns', []) -%}
        {%- set refused = [] -%}
        {%- for name in (value if is_list else []) -%}
            {#- A name stands in SQL as it is. -#}
            {%- if name is not string or not modules.re.match('^[a-z_][a-z0-9_]{0,62}$', name) or name in columns_of_runs
                or modules.re.search('(^|_)(text|prompt|message|content|input|output|arguments?)(_|$)', name) -%}
                {%- do refused.append(name) -%}
            {%- endif -%}
        {%- endfor -%}
        {{- return(is_list and not refused and value | unique | list | length == value | length) -}}
    {%- elif setting.kind == 'whole number' -%}
        {%- set is_number = value is integer and value is not boolean
            or value is string and modules.re.match('^[0-9]{1,9}$', value | trim) is not none -%}
        {{- return(is_number and setting.least <= value | int <= setting.most) -}}
    {%- elif setting.kind == 'share' -%}
        {%- set is_number = value is number and value is not boolean
            or value is string and modules.re.match('^[0-9]+([.][0-9]+)?$', value | trim) is not none -%}
        {{- return(is_number and 0 <= value | float <= 1) -}}
    {%- elif setting.kind == 'time zone' -%}
        {{- return(value in modules.pytz.all_timezones) -}}
    {%- endif -%}
    {{- return(value is boolean) -}}
{% endmacro %}
