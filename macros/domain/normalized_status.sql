{% macro normalized_status(status_expression) -%}
    case
        when {{ status_expression }} is null then null
        when lower({{ status_expression }}) in ('success', 'succeeded', 'ok', 'completed', 'complete') then 'success'
        when lower({{ status_expression }}) in ('error', 'failed', 'failure') then 'error'
        when lower({{ status_expression }}) in ('timeout', 'timed_out') then 'timeout'
        when lower({{ status_expression }}) in ('user_cancelled', 'cancelled', 'canceled', 'aborted') then 'cancelled'
        when lower({{ status_expression }}) in ('partial_success', 'partial') then 'partial_success'
        else 'unknown'
    end
{%- endmacro %}
