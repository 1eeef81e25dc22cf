with aliases as (

    select
        lower(alias) as alias,
        match_type,
        canonical_model,
        length(alias) as alias_length
    from {{ ref('model_aliases') }}

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

-- vendor and region prefixes come off one after the other: openrouter/anthropic/…
names_stripped_0 as (

    select
        model_name,
        model_name as bare_name
    from model_names

),

{% for round in [1, 2, 3] %}
names_stripped_{{ round }} as (

    select
        model_name,
        bare_name
    from (
        select
            names.model_name,
            right(names.bare_name, length(names.bare_name) - aliases.alias_length) as bare_name,
            row_number() over (
                partition by names.model_name order by aliases.alias_length desc
            ) as alias_rank
        from names_stripped_{{ round - 1 }} as names
        inner join aliases
            on
                aliases.match_type = 'prefix'
                and {{ starts_with('names.bare_name', 'aliases.alias') }}
    ) as ranked
    where alias_rank = 1

),

{% endfor %}
bare_names as (

    select * from names_stripped_0
    union all
    select * from names_stripped_1
    union all
    select * from names_stripped_2
    union all
    select * from names_stripped_3

),

matched as (

    select
        bare_names.model_name,
        aliases.canonical_model,
        row_number() over (
            partition by bare_names.model_name
            order by
                aliases.alias_length desc,
                case when aliases.match_type = 'exact' then 0 else 1 end asc,
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
                    text_literal('^([-@:_.]?(latest|preview|exp|20[0-9]{2}-?[0-9]{2}-?[0-9]{2}|[0-9]{2}-[0-9]{2}|[0-9]{3,4}|v[0-9]+(:[0-9]+)?))*$')
                ) }}
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
