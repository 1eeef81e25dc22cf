with fact_rows as (

    {{ fact_rows(['price_status', 'cost_basis', 'cost_usd', 'total_tokens']) }}

)

select * from fact_rows
where
    {{ differs("(price_status in ('unpriced', 'no_usage'))", '(cost_usd is null)') }}
    or {{ differs("(cost_basis = 'none')", '(cost_usd is null)') }}
    or cost_usd < 0
    or (price_status = 'no_usage' and total_tokens > 0)
