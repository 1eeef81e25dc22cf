{% macro plausible_token_count(tokens) -%}
    case when {{ tokens }} between 0 and 1000000000000 then {{ tokens }} end
{%- endmacro %}


{% macro has_any_tokens(relation) -%}
    coalesce(
        {%- for count in ['prompt', 'completion', 'cache_read', 'cache_write', 'cache_write_1h', 'total'] %}
        {{ relation }}.sent_{{ count }}_tokens{{ ',' if not loop.last }}
        {%- endfor %}
    ) is not null
{%- endmacro %}


{% macro sender_convention(convention) -%}
    coalesce(of_source.{{ convention }}, of_library.{{ convention }}, models_resolved.{{ convention }}) as {{ convention }}
{%- endmacro %}


{% macro all_cache_write_tokens() -%}
    case
        when sent_cache_write_1h_tokens > coalesce(sent_cache_write_tokens, 0) then sent_cache_write_1h_tokens
        else sent_cache_write_tokens
    end
{%- endmacro %}


{% macro cached_tokens_in_prompt() -%}
    {%- set cached = '(coalesce(sent_cache_read_tokens, 0) + coalesce(sent_all_cache_write_tokens, 0))' -%}
    {%- set parts = '(sent_prompt_tokens + coalesce(sent_completion_tokens, 0))' -%}
    {%- set reasoning = 'coalesce(sent_reasoning_tokens, 0)' -%}
    case
        -- the sent total proves what the prompt count contains
        when sent_total_tokens in ({{ parts }}, {{ parts }} + {{ reasoning }}) then {{ cached }}
        when sent_total_tokens in ({{ parts }} + {{ cached }}, {{ parts }} + {{ cached }} + {{ reasoning }}) then 0
        else
            case when coalesce(prompt_tokens_include_cache_read, false) then coalesce(sent_cache_read_tokens, 0) else 0 end
            + case when coalesce(prompt_tokens_include_cache_write, false) then coalesce(sent_all_cache_write_tokens, 0) else 0 end
    end
{%- endmacro %}


{% macro uncached_input_tokens() -%}
    case
        when cached_in_prompt > sent_prompt_tokens then sent_prompt_tokens
        else sent_prompt_tokens - cached_in_prompt
    end
{%- endmacro %}


{% macro output_tokens_with_reasoning() -%}
    {%- set beyond_parts -%}
        (
            sent_total_tokens - sent_prompt_tokens - sent_completion_tokens
            - case
                when cached_in_prompt = 0 then coalesce(sent_cache_read_tokens, 0) + coalesce(sent_all_cache_write_tokens, 0)
                else 0
            end
        )
    {%- endset -%}
    sent_completion_tokens
    + case
        -- the sent total proves that reasoning was counted apart
        when {{ beyond_parts }} > 0 and {{ beyond_parts }} = sent_reasoning_tokens then sent_reasoning_tokens
        when not coalesce(reasoning_tokens_counted_apart, false) then 0
        when {{ beyond_parts }} > 0 then {{ beyond_parts }}
        when sent_total_tokens is null then coalesce(sent_reasoning_tokens, 0)
        else 0
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
    {{ to_usd(
        '('
        ~ _token_class_cost('input_tokens', prices, 'input', applies_long_context)
        ~ ' + ' ~ _token_class_cost('output_tokens', prices, 'output', applies_long_context)
        ~ ' + ' ~ _token_class_cost('cache_read_tokens', prices, 'cache_read', applies_long_context)
        ~ ' + ' ~ _cache_write_cost(prices, applies_long_context)
        ~ ') / 1000000.0 * ' ~ tier_multiplier(prices)
    ) }}
{%- endmacro %}


{% macro list_cost_of_class(class, prices, applies_long_context) -%}
    {%- if class == 'cache_write' -%}
        {%- set cost = '(' ~ _cache_write_cost(prices, applies_long_context) ~ ')' -%}
    {%- else -%}
        {%- set cost = _token_class_cost(class ~ '_tokens', prices, class, applies_long_context) -%}
    {%- endif -%}
    {{ to_usd(cost ~ ' / 1000000.0 * ' ~ tier_multiplier(prices)) }}
{%- endmacro %}


{% macro listed_by_class(prefix, is_listed, listed_usd, as_prefix='') -%}
    {%- set classes = token_classes() -%}
    {%- set costs = [] -%}
    {%- for class in classes -%}{%- do costs.append(prefix ~ class ~ '_usd') -%}{%- endfor -%}
    {%- for class in classes %}
    {#- the loop over earlier classes below has counters of its own -#}
    {%- set cost = costs[loop.index0] %}
    cast(
        case
            when {{ is_listed }}
                then
                    {{ cost }}
                    -- what the rounding of the classes leaves over goes to the dearest, the first of equals
                    + case
                        when
                            {{ cost }} = greatest({{ costs | join(', ') }})
                            {%- for earlier in costs[:loop.index0] %}
                            and {{ cost }} != {{ earlier }}
                            {%- endfor %}
                            then {{ listed_usd }} - ({{ costs | join(' + ') }})
                        else 0
                    end
        end as {{ type_usd() }}
    ) as {{ as_prefix }}{{ class }}_cost_usd{{ ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}


{% macro token_classes() %}{{- return(['input', 'output', 'cache_read', 'cache_write']) -}}{% endmacro %}


{#- Entries that live for an hour have a price of their own. -#}
{% macro _cache_write_cost(prices, applies_long_context) -%}
    {%- set five_minute_writes = 'cache_write_tokens - coalesce(sent_cache_write_1h_tokens, 0)' -%}
    {{ _token_class_cost('(' ~ five_minute_writes ~ ')', prices, 'cache_write', applies_long_context) }}
    {{- ' + ' ~ _token_class_cost('sent_cache_write_1h_tokens', prices, 'cache_write_1h', applies_long_context) }}
{%- endmacro %}


{% macro _token_class_cost(tokens, prices, class, applies_long_context) -%}
    case
        when coalesce({{ tokens }}, 0) = 0 then 0
        else {{ tokens }} * cast(
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


{% macro price_tier(sent_tier, tier) -%}
    case when {{ sent_tier }} is null then 'standard' else {{ tier }} end
{%- endmacro %}


{% macro tier_multiplier(prices) -%}
    case
        when price_tier = 'standard' then 1.0
        when price_tier in ('batch', 'flex') then cast({{ prices }}.batch_multiplier as {{ type_double() }})
        when price_tier = 'priority' then cast({{ prices }}.priority_multiplier as {{ type_double() }})
    end
{%- endmacro %}


{% macro has_all_tokens(tokens, prices) -%}
    {{ tokens }}.input_tokens is not null
        and (
            {{ tokens }}.output_tokens is not null
            -- embeddings have no output
            or ({{ prices }}.priced_model is not null and {{ prices }}.output_usd_per_million_tokens is null)
        )
{%- endmacro %}


{% macro is_free(prices) -%}
    coalesce(
        {{ prices }}.input_usd_per_million_tokens = 0 and coalesce({{ prices }}.output_usd_per_million_tokens, 0) = 0, false
    )
{%- endmacro %}


{% macro believable_cost(reported_cost, zero_is_believable) -%}
    cast(
        case
            when {{ reported_cost }} > 0 then {{ reported_cost }}
            when is_cache_hit then 0
            when {{ reported_cost }} = 0 and {{ zero_is_believable }} then {{ reported_cost }}
        end as {{ type_usd() }}
    )
{%- endmacro %}


{% macro price_columns() %}
    {{- return([
        'input_usd_per_million_tokens',
        'output_usd_per_million_tokens',
        'cache_read_usd_per_million_tokens',
        'cache_write_usd_per_million_tokens',
        'cache_write_1h_usd_per_million_tokens',
        'long_context_threshold_tokens',
        'long_context_input_usd_per_million_tokens',
        'long_context_output_usd_per_million_tokens',
        'long_context_cache_read_usd_per_million_tokens',
        'long_context_cache_write_usd_per_million_tokens',
        'long_context_cache_write_1h_usd_per_million_tokens',
        'batch_multiplier',
        'priority_multiplier'
    ]) -}}
{% endmacro %}
