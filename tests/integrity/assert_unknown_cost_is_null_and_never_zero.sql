with fact_rows as (

    {{ fact_rows(['price_status', 'cost_basis', 'cost_usd', 'known_cost_usd', 'total_tokens']) }}

)

select * from fact_rows
where
    {{ differs("(price_status in ('unpriced', 'partial', 'no_usage'))", '(cost_usd is null)') }}
    or {{ differs("(cost_basis = 'none')", '(cost_usd is null)') }}
    or cost_usd < 0
    -- what is known of a cost that is known is all of it
    or (cost_usd is not null and {{ differs('cost_usd', 'known_cost_usd') }})
    or (price_status = 'no_usage' and known_cost_usd is not null)
