{% macro plausible_token_count(tokens) -%}
    case when {{ tokens }} between 0 and 1000000000000 then {{ tokens }} end
{%- endmacro %}


{% macro cached_tokens_in_prompt(prompt, cache_read, cache_write, includes_read, includes_write) -%}
    (
        case when coalesce({{ includes_read }}, false) then coalesce({{ cache_read }}, 0) else 0 end
        + case when coalesce({{ includes_write }}, false) then coalesce({{ cache_write }}, 0) else 0 end
    )
{%- endmacro %}


{% macro uncached_input_tokens(prompt, cached_in_prompt) -%}
    case
        when {{ cached_in_prompt }} > {{ prompt }} then {{ prompt }}
        else {{ prompt }} - {{ cached_in_prompt }}
    end
{%- endmacro %}


{% macro sum_of_token_classes() -%}
    case
        when coalesce(input_tokens, output_tokens, cache_read_tokens, cache_write_tokens) is not null
            then
                coalesce(input_tokens, 0) + coalesce(output_tokens, 0)
                + coalesce(cache_read_tokens, 0) + coalesce(cache_write_tokens, 0)
    end
{%- endmacro %}


{% macro list_cost(prices, applies_long_context) -%}
    {%- set token_costs = [] -%}
    {%- for class in ['input', 'output', 'cache_read', 'cache_write'] -%}
        {%- do token_costs.append(_token_class_cost(class, prices, applies_long_context)) -%}
    {%- endfor -%}
    {{ to_usd('(' ~ token_costs | join(' + ') ~ ') / 1000000.0 * ' ~ tier_multiplier(prices)) }}
{%- endmacro %}


{% macro _token_class_cost(class, prices, applies_long_context) -%}
    case
        when coalesce({{ class }}_tokens, 0) = 0 then 0
        else {{ class }}_tokens * cast(
            case
                when {{ applies_long_context }}
                    then coalesce(
                        {{ prices }}.long_context_{{ class }}_usd_per_million_tokens,
                        {{ prices }}.{{ class }}_usd_per_million_tokens
                    )
                else {{ prices }}.{{ class }}_usd_per_million_tokens
            end as {{ type_double() }}
        )
    end
{%- endmacro %}


{% macro tier_multiplier(prices) -%}
    case
        when service_tier in ('batch', 'flex') then coalesce(cast({{ prices }}.batch_multiplier as {{ type_double() }}), 1.0)
        when service_tier = 'priority' then coalesce(cast({{ prices }}.priority_multiplier as {{ type_double() }}), 1.0)
        else 1.0
    end
{%- endmacro %}


{% macro believable_cost(reported_cost, total_tokens) -%}
    cast(
        case
            when {{ reported_cost }} > 0 then {{ reported_cost }}
            when {{ reported_cost }} = 0 and coalesce({{ total_tokens }}, 0) = 0 then {{ reported_cost }}
        end as {{ type_usd() }}
    )
{%- endmacro %}
