-- Two prices of one model on the same day would price every token of that day twice.
with model_pricing as (

    select * from {{ ref('model_pricing') }}

),

intervals as (

    select
        canonical_model,
        valid_from,
        coalesce(valid_to, cast('9999-12-31' as date)) as valid_to,
        lead({{ nullable('valid_from') }}) over (
            partition by canonical_model
            order by valid_from
        ) as next_valid_from
    from model_pricing

),

overlapping as (

    select *
    from intervals
    where
        next_valid_from < valid_to
        or valid_to <= valid_from

)

select * from overlapping
