with model_pricing as (

    select * from {{ ref('model_pricing') }}

),

negative as (

    select *
    from model_pricing
    where
        {{ price_columns() | join(' < 0\n        or ') }} < 0

)

select * from negative
