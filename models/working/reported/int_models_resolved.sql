-- A star stands for any text: between the two ends of a prefix, a suffix or a pattern, and behind a suffix.
with aliases as (

    select
        lower(alias) as alias,
        match_type,
        canonical_model,
        length(alias) as alias_length,
        {{ dbt.position("'*'", 'alias') }} as star_at
    from {{ ref('model_aliases') }}

),

alias_ends as (

    select
        alias,
        match_type,
        canonical_model,
        alias_length,
        star_at > 0 as has_star,
        right(alias, 1) = '*' as is_open_end,
        case when star_at > 0 then left(alias, star_at - 1) else '' end as head,
        case when star_at > 0 then right(alias, alias_length - star_at) else alias end as tail
    from aliases
    where match_type in ('prefix', 'suffix', 'pattern')

),

prefixes as (

    select
        alias,
        alias_length,
        has_star,
        case when has_star then head else alias end as head,
        case when has_star then tail else '' end as tail
    from alias_ends
    where match_type = 'prefix'

),

suffixes as (

    select
        alias,
        alias_length,
        is_open_end,
        head,
        case when is_open_end then left(tail, length(tail) - 1) else tail end as tail
    from alias_ends
    where match_type = 'suffix'

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

model_names as (

    select distinct
        lower(trim(model_name)) as model_name,
        'default' as default_provider
    from {{ ref('int_events_accepted') }}
    where model_name is not null

),

-- gateways, hosts, vendors and regions come off the front one after the other: openrouter/anthropic/…
names_unprefixed_0 as (

    select
        model_name,
        replace(model_name, ' ', '-') as bare_name
    from model_names

),

{%- set rest = 'right(names.bare_name, length(names.bare_name) - length(prefixes.head))' %}

{% for round in range(1, 6) %}
names_unprefixed_{{ round }} as (

    select
        model_name,
        bare_name
    from (
        select
            names.model_name,
            case
                when prefixes.has_star
                    then right({{ rest }}, length({{ rest }}) - {{ dbt.position('prefixes.tail', rest) }} - length(prefixes.tail) + 1)
                else {{ rest }}
            end as bare_name,
            row_number() over (
                partition by names.model_name order by prefixes.alias_length desc, prefixes.alias asc
            ) as alias_rank
        from names_unprefixed_{{ round - 1 }} as names
        inner join prefixes
            on
                {{ starts_with('names.bare_name', 'prefixes.head') }}
                and (not prefixes.has_star or {{ dbt.position('prefixes.tail', rest) }} > 0)
    ) as ranked
    where alias_rank = 1

),

{% endfor %}
names_unsuffixed_0 as (

    {% for round in range(0, 6) -%}
    select * from names_unprefixed_{{ round }}
    {% if not loop.last -%}
    union all
    {% endif -%}
    {% endfor %}
),

-- what says nothing about the price comes off the end: -high, :beta, [1m]
{% for round in range(1, 3) %}
names_unsuffixed_{{ round }} as (

    select
        model_name,
        bare_name
    from (
        select
            names.model_name,
            case
                when suffixes.is_open_end
                    then left(names.bare_name, {{ dbt.position('suffixes.tail', 'names.bare_name') }} - 1)
                else left(names.bare_name, length(names.bare_name) - length(suffixes.tail))
            end as bare_name,
            row_number() over (
                partition by names.model_name, names.bare_name
                order by suffixes.alias_length desc, suffixes.alias asc
            ) as alias_rank
        from names_unsuffixed_{{ round - 1 }} as names
        inner join suffixes
            on
                {{ starts_with('names.bare_name', 'suffixes.head') }}
                and (
                    (suffixes.is_open_end and {{ dbt.position('suffixes.tail', 'names.bare_name') }} > 0)
                    or (not suffixes.is_open_end and {{ ends_with('names.bare_name', 'suffixes.tail') }})
                )
    ) as ranked
    where alias_rank = 1

),

{% endfor %}
bare_names as (

    select * from names_unsuffixed_0
    union all
    select * from names_unsuffixed_1
    union all
    select * from names_unsuffixed_2

),

candidates as (

    select
        bare_names.model_name,
        aliases.canonical_model,
        aliases.alias_length,
        1 as match_order
    from bare_names
    inner join aliases on bare_names.bare_name = aliases.alias
    where aliases.match_type = 'exact'

    union all

    select
        bare_names.model_name,
        aliases.canonical_model,
        aliases.alias_length,
        2 as match_order
    from bare_names
    inner join aliases
        on
            aliases.match_type = 'family'
            and {{ starts_with('bare_names.bare_name', 'aliases.alias') }}
            -- nothing but dates and versions may follow, or a new sibling would get a wrong price
            and {{ text_matches(
                'right(bare_names.bare_name, length(bare_names.bare_name) - aliases.alias_length)',
                text_literal('^([-@:_.]?(latest|preview|exp|beta|default|20[0-9]{2}-?[0-9]{2}-?[0-9]{2}|[0-9]{2}-20[0-9]{2}|[0-9]{2}-[0-9]{2}|[0-9]{3,4}|v[0-9]+(:[0-9]+k?)*))*$')
            ) }}

    union all

    select
        bare_names.model_name,
        alias_ends.canonical_model,
        alias_ends.alias_length,
        3 as match_order
    from bare_names
    inner join alias_ends
        on
            alias_ends.match_type = 'pattern'
            and {{ starts_with('bare_names.bare_name', 'alias_ends.head') }}
            and {{ ends_with('bare_names.bare_name', 'alias_ends.tail') }}
            and length(bare_names.bare_name) >= alias_ends.alias_length - 1

),

-- a pattern without a model says that what it fits has no known price
matched as (

    select
        model_name,
        canonical_model,
        row_number() over (
            partition by model_name
            order by
                alias_length desc,
                match_order asc,
                canonical_model asc nulls last
        ) as match_rank
    from candidates

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
