{% macro technical_outcome() -%}
    case
        when is_successful then 'success'
        when run_status in ('error', 'timeout') then 'failed'
        else 'other'
    end
{%- endmacro %}


{% macro product_outcome() -%}
    case
        when is_product_success then 'useful'
        when not is_product_success then 'useless'
        else 'unknown'
    end
{%- endmacro %}


{% macro outcome_matrix() -%}
    {%- set counts = [] -%}
    {%- for technical in ['success', 'failed', 'other'] -%}
        {%- for product in ['useful', 'useless', 'unknown'] -%}
            {%- do counts.append(
                count_where("technical_outcome = '" ~ technical ~ "' and product_outcome = '" ~ product ~ "'")
                ~ ' as ' ~ technical ~ '_' ~ product ~ '_count'
            ) -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ counts | join(',\n    ') }}
{%- endmacro %}


{% macro user_signals() -%}
    {{ count_where('is_copied') }} as copied_run_count,
    {{ count_where('is_shared') }} as shared_run_count,
    {{ count_where('is_regenerated') }} as regenerated_run_count,
    {{ count_where('is_reasked') }} as reasked_run_count,
    {{ count_where('is_cancelled') }} as cancelled_run_count,
    {{ count_where('is_copied or is_shared or is_regenerated or is_reasked or is_cancelled') }} as signalled_run_count
{%- endmacro %}
