{% macro helper_function(name) -%}
    {{ generate_schema_name('staging', none) }}.agent_analytics_{{ name }}
{%- endmacro %}


{% macro create_helper_functions() %}
    {{- return(adapter.dispatch('create_helper_functions', 'agent_analytics')()) -}}
{% endmacro %}

{% macro default__create_helper_functions() %}{% endmacro %}

{#- Casts that give null instead of an error. -#}
{% macro postgres__create_helper_functions() %}
do $create$
begin
    -- even `if not exists` asks for the right to create schemas
    if not exists (select 1 from pg_namespace where nspname = {{ text_literal(generate_schema_name('staging', none)) }}) then
        create schema {{ generate_schema_name('staging', none) }};
    end if;
    create or replace function {{ helper_function('try_jsonb') }}(value text) returns jsonb
    language plpgsql immutable parallel safe as $body$
    begin
        return value::jsonb;
    exception when others then
        return null;
    end
    $body$;
    create or replace function {{ helper_function('try_timestamp') }}(value text) returns timestamptz
    language plpgsql stable parallel safe as $body$
    begin
        if value !~ '^[0-9]{4}-' then
            return null;
        end if;
        if value ~ '([zZ]|[+-][0-9]{2}:?([0-9]{2})?)$' and length(value) > 10 then
            return value::timestamptz;
        end if;
        return value::timestamp at time zone 'UTC';
    exception when others then
        return null;
    end
    $body$;
exception when others then
    -- another build creates the same functions at this time
    if sqlstate not in ('XX000', '23505') then
        raise;
    end if;
end
$create$
{% endmacro %}

{% macro redshift__create_helper_functions() %}{% endmacro %}

{% macro bigquery__create_helper_functions() %}
create schema if not exists {{ generate_schema_name('staging', none) }};
create or replace function {{ helper_function('percentile_of') }}(members array<float64>, fraction float64) as ((
    select
        sorted[offset(cast(floor(position) as int64))]
        + (sorted[offset(cast(ceil(position) as int64))] - sorted[offset(cast(floor(position) as int64))])
        * (position - floor(position))
    from (
        select
            array(select member from unnest(members) as member order by member) as sorted,
            (array_length(members) - 1) * fraction as position
    ) as prepared
    where array_length(members) > 0
))
{% endmacro %}
