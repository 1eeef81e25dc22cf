-- A star stands for any text: between the two ends of a prefix, a suffix or a pattern, and behind a suffix.
with alias_stars as (

    select
        lower(alias) as alias,
        match_type,
        canonical_model,
        length(alias) as alias_length,
        {{ dbt.position("'*'", 'alias') }} as star_at
    from {{ ref('model_aliases') }}

),

aliases as (

    select
        alias,
        match_type,
        canonical_model,
        alias_length,
        star_at > 0 as has_star,
        right(alias, 1) = '*' as is_open_end,
        case when star_at > 0 then left(alias, star_at - 1) else '' end as head,
        case when star_at > 0 then right(alias, alias_length - star_at) else alias end as tail
    from alias_stars

),

prefixes as (

    select
        alias,
        alias_length,
        has_star,
        case when has_star then head else alias end as head,
        case when has_star then tail else '' end as tail
    from aliases
    where match_type = 'prefix'

    union all

    -- what fits every name, so that a name without a prefix stays
    select
        '' as alias,
        0 as alias_length,
        false as has_star,
        '' as head,
        '' as tail

),

suffixes as (

    select
        alias,
        alias_length,
        is_open_end,
        head,
        case when is_open_end then left(tail, length(tail) - 1) else tail end as tail
    from aliases
    where match_type = 'suffix'

    union all

    select
        '' as alias,
        0 as alias_length,
        false as is_open_end,
        '' as head,
        '' as tail

),

providers as (

    select
        canonical_model,
        min(provider) as provider
    from {{ ref('model_pricing') }}
    group by canonical_model

),

conventions as (

    select * from {{ ref('provider_token_conventions') }}
    where sender is null

),

sent_names as (

    select lower(trim(model_name)) as model_name
    from {{ ref('int_events_accepted') }}
    where model_name is not null

    union distinct

    select lower(trim(model_name)) as model_name
    from {{ ref('int_answers_usage') }}
    where model_name is not null

),

model_names as (

    select
        model_name,
        'default' as default_provider
    from sent_names

),

-- gateways, hosts, vendors and regions come off the front one after the other: openrouter/anthropic/…
{%- set prefix_rounds = 5 %}
names_unprefixed_0 as (

    select
        model_name,
        replace(model_name, ' ', '-') as unprefixed_0
    from model_names

),

{% for round in range(1, prefix_rounds + 1) %}
{%- set name = 'names.unprefixed_' ~ (round - 1) %}
{%- set rest = 'right(' ~ name ~ ', length(' ~ name ~ ') - length(prefixes.head))' %}
names_unprefixed_{{ round }} as (

    select
        model_name,
        {% for earlier in range(round) -%}
        unprefixed_{{ earlier }},
        {% endfor -%}
        unprefixed_{{ round }}
    from (
        select
            names.*,
            case
                when prefixes.has_star
                    then right({{ rest }}, length({{ rest }}) - {{ dbt.position('prefixes.tail', rest) }} - length(prefixes.tail) + 1)
                else {{ rest }}
            end as unprefixed_{{ round }},
            row_number() over (
                partition by names.model_name order by prefixes.alias_length desc, prefixes.alias asc
            ) as alias_rank
        from names_unprefixed_{{ round - 1 }} as names
        inner join prefixes
            on
                {{ starts_with(name, 'prefixes.head') }}
                and (not prefixes.has_star or {{ dbt.position('prefixes.tail', rest) }} > 0)
    ) as ranked
    where alias_rank = 1

),

{% endfor %}
prefix_rounds as (

    {% for round in range(prefix_rounds + 1) -%}
    select {{ round }} as round_number
    {% if not loop.last -%}
    union all
    {% endif -%}
    {% endfor %}
),

names_unsuffixed_0 as (

    select distinct
        names.model_name,
        case prefix_rounds.round_number
            {% for round in range(prefix_rounds + 1) -%}
            when {{ round }} then names.unprefixed_{{ round }}
            {% endfor -%}
        end as unsuffixed_0
    from names_unprefixed_{{ prefix_rounds }} as names
    cross join prefix_rounds

),

-- what says nothing about the price comes off the end: -high, :beta, [1m]
{%- set suffix_rounds = 2 %}
{% for round in range(1, suffix_rounds + 1) %}
{%- set name = 'names.unsuffixed_' ~ (round - 1) %}
names_unsuffixed_{{ round }} as (

    select
        model_name,
        {% for earlier in range(round) -%}
        unsuffixed_{{ earlier }},
        {% endfor -%}
        unsuffixed_{{ round }}
    from (
        select
            names.*,
            case
                when suffixes.is_open_end
                    then left({{ name }}, {{ dbt.position('suffixes.tail', name) }} - 1)
                else left({{ name }}, length({{ name }}) - length(suffixes.tail))
            end as unsuffixed_{{ round }},
            row_number() over (
                partition by names.model_name, names.unsuffixed_0
                order by suffixes.alias_length desc, suffixes.alias asc
            ) as alias_rank
        from names_unsuffixed_{{ round - 1 }} as names
        inner join suffixes
            on
                {{ starts_with(name, 'suffixes.head') }}
                and (
                    (suffixes.is_open_end and {{ dbt.position('suffixes.tail', name) }} > 0)
                    or (not suffixes.is_open_end and {{ ends_with(name, 'suffixes.tail') }})
                )
    ) as ranked
    where alias_rank = 1

),

{% endfor %}
suffix_rounds as (

    {% for round in range(suffix_rounds + 1) -%}
    select {{ round }} as round_number
    {% if not loop.last -%}
    union all
    {% endif -%}
    {% endfor %}
),

bare_names as (

    select distinct
        names.model_name,
        case suffix_rounds.round_number
            {% for round in range(suffix_rounds + 1) -%}
            when {{ round }} then names.unsuffixed_{{ round }}
            {% endfor -%}
        end as bare_name
    from names_unsuffixed_{{ suffix_rounds }} as names
    cross join suffix_rounds

),

-- a pattern without a model says that what it fits has no known price
matched as (

    select
        bare_names.model_name,
        aliases.canonical_model,
        row_number() over (
            partition by bare_names.model_name
            order by
                aliases.alias_length desc,
                case aliases.match_type when 'exact' then 0 when 'family' then 1 else 2 end asc,
                aliases.canonical_model asc nulls last
        ) as match_rank
    from bare_names
    inner join aliases
        on
            (aliases.match_type = 'exact' and bare_names.bare_name = aliases.alias)
            or (
                aliases.match_type = 'family'
                and {{ starts_with('bare_names.bare_name', 'aliases.alias') }}
                -- nothing but dates and versions may follow, or a new sibling would get a wrong price
                and {{ text_matches(
                    'right(bare_names.bare_name, length(bare_names.bare_name) - aliases.alias_length)',
                    text_literal('^([-@:_.]?(latest|preview|exp|beta|default|20[0-9]{2}-?[0-9]{2}-?[0-9]{2}|[0-9]{2}-20[0-9]{2}|[0-9]{2}-[0-9]{2}|[0-9]{3,4}|v[0-9]+(:[0-9]+k?)*))*$')
                ) }}
            )
            or (
                aliases.match_type = 'pattern'
                and {{ starts_with('bare_names.bare_name', 'aliases.head') }}
                and {{ ends_with('bare_names.bare_name', 'aliases.tail') }}
                and length(bare_names.bare_name) >= aliases.alias_length - 1
            )

),

resolved as (

    select
        model_names.model_name as model_name,
        matched.canonical_model as canonical_model,
        providers.provider as provider,
        coalesce(
            conventions.prompt_tokens_include_cache_read,
            default_convention.prompt_tokens_include_cache_read
        ) as prompt_tokens_include_cache_read,
        coalesce(
            conventions.prompt_tokens_include_cache_write,
            default_convention.prompt_tokens_include_cache_write
        ) as prompt_tokens_include_cache_write,
        coalesce(
            conventions.reasoning_tokens_counted_apart,
            default_convention.reasoning_tokens_counted_apart
        ) as reasoning_tokens_counted_apart
    from model_names
    left join matched
        on
            model_names.model_name = matched.model_name
            and matched.match_rank = 1
    left join providers on matched.canonical_model = providers.canonical_model
    left join conventions on providers.provider = conventions.provider
    left join conventions as default_convention on model_names.default_provider = default_convention.provider

)

select * from resolved
