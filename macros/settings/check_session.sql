{% macro check_session() %}
    {%- set zone = session_time_zone() if execute and is_a_build() else none -%}
    {%- if zone is not none -%}
        {%- set name = run_query('select ' ~ zone.expression ~ ' as time_zone').rows[0][0] -%}
        {%- if name | upper not in names_of_utc() -%}
            {%- do exceptions.raise_compiler_error(
                'the time zone of the session is ' ~ name ~ ', in which ' ~ target.type ~ ' would read times without an offset; set it to UTC: ' ~ zone.cure
            ) -%}
        {%- endif -%}
    {%- endif -%}
    {{- return('') -}}
{% endmacro %}


{% macro names_of_utc() %}
    {{- return(['UTC', 'ETC/UTC', 'UCT', 'ETC/UCT', 'UNIVERSAL', 'ZULU', 'ETC/ZULU', 'GMT', 'ETC/GMT', 'Z', '+00:00']) -}}
{% endmacro %}
