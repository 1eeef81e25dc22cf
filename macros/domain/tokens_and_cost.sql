{#- A token count that can be used in arithmetic: not negative and at most 10^12, more than any
    run uses and little enough that no sum overflows. -#}
{% macro plausible_token_count(tokens) -%}
    case when {{ tokens }} between 0 and 1000000000000 then {{ tokens }} end
{%- endmacro %}


{#- Whether cached tokens of this row are part of its prompt count. A cached count above the prompt
    count proves that they are not; otherwise the provider's convention says it.

    Arguments are expressions; the two conventions are booleans, null counts as not included. -#}
{% macro cached_tokens_in_prompt(prompt, cache_read, cache_write, includes_read, includes_write) -%}
    (
        case when coalesce({{ includes_read }}, false) then coalesce({{ cache_read }}, 0) else 0 end
        + case when coalesce({{ includes_write }}, false) then coalesce({{ cache_write }}, 0) else 0 end
    )
{%- endmacro %}


{#- Prompt tokens that were not served from or written to a cache; null when the count is absent. -#}
{% macro uncached_input_tokens(prompt, cached_in_prompt) -%}
    case
        when {{ cached_in_prompt }} > {{ prompt }} then {{ prompt }}
        else {{ prompt }} - {{ cached_in_prompt }}
    end
{%- endmacro %}


{#- Sum of the four disjoint token classes; null only when all are absent. -#}
{% macro sum_of_token_classes() -%}
    case
        when coalesce(input_tokens, output_tokens, cache_read_tokens, cache_write_tokens) is not null
            then
                coalesce(input_tokens, 0) + coalesce(output_tokens, 0)
                + coalesce(cache_read_tokens, 0) + coalesce(cache_write_tokens, 0)
    end
{%- endmacro %}


{#- Price of the tokens of one row; null when a class that has tokens has no price.

    Arguments
      prices: prefix of the joined price columns (relation name)
      applies_long_context: expression, whether the long-context tier applies -#}
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


{#- Batch and priority processing are priced as a multiple of the list price. -#}
{% macro tier_multiplier(prices) -%}
    case
        when service_tier in ('batch', 'flex') then coalesce(cast({{ prices }}.batch_multiplier as {{ type_double() }}), 1.0)
        when service_tier = 'priority' then coalesce(cast({{ prices }}.priority_multiplier as {{ type_double() }}), 1.0)
        else 1.0
    end
{%- endmacro %}


{#- The sender's figure when it can be believed: present, not negative, not zero beside tokens. -#}
{% macro believable_cost(reported_cost, total_tokens) -%}
    cast(
        case
            when {{ reported_cost }} > 0 then {{ reported_cost }}
            when {{ reported_cost }} = 0 and coalesce({{ total_tokens }}, 0) = 0 then {{ reported_cost }}
        end as {{ type_usd() }}
    )
{%- endmacro %}
