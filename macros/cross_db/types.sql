{% macro type_usd() %}{{ return(adapter.dispatch('type_usd', 'agent_analytics')()) }}{% endmacro %}

{% macro default__type_usd() %}numeric(28, 9){% endmacro %}

{#- Its NUMERIC has nine decimals, and a cast takes no parameters. -#}
{% macro bigquery__type_usd() %}numeric{% endmacro %}

{% macro spark__type_usd() %}decimal(28, 9){% endmacro %}

{% macro clickhouse__type_usd() %}Decimal(28, 9){% endmacro %}


{% macro type_text() %}{{ return(adapter.dispatch('type_text', 'agent_analytics')()) }}{% endmacro %}

{% macro default__type_text() %}{{ dbt.type_string() }}{% endmacro %}

{% macro redshift__type_text() %}varchar(65535){% endmacro %}


{% macro type_double() %}{{ return(adapter.dispatch('type_double', 'agent_analytics')()) }}{% endmacro %}

{% macro default__type_double() %}double precision{% endmacro %}

{% macro duckdb__type_double() %}double{% endmacro %}

{% macro spark__type_double() %}double{% endmacro %}

{% macro bigquery__type_double() %}float64{% endmacro %}

{% macro clickhouse__type_double() %}Float64{% endmacro %}


{% macro type_utc_timestamp() %}{{ return(adapter.dispatch('type_utc_timestamp', 'agent_analytics')()) }}{% endmacro %}

{% macro default__type_utc_timestamp() %}{{ dbt.type_timestamp() }}{% endmacro %}

{#- The plain name follows a setting of the account. -#}
{% macro snowflake__type_utc_timestamp() %}timestamp_ntz{% endmacro %}

{% macro clickhouse__type_utc_timestamp() %}DateTime64(6, 'UTC'){% endmacro %}


{% macro nullable(expression) %}{{ return(adapter.dispatch('nullable', 'agent_analytics')(expression)) }}{% endmacro %}

{% macro default__nullable(expression) -%}
    {{ expression }}
{%- endmacro %}

{#- lead() and lag() give 0, an empty text or 1970 where there is no row, if the type has no null. -#}
{% macro clickhouse__nullable(expression) -%}
    toNullable({{ expression }})
{%- endmacro %}
