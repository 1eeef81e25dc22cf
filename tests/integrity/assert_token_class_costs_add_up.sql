-- The classes of a list cost are disjoint and add up to it, to the last decimal; without a list cost there are none.
with fact_rows as (

    {{ fact_rows(['input_cost_usd', 'output_cost_usd', 'cache_read_cost_usd', 'cache_write_cost_usd', 'list_cost_usd']) }}

)

select * from fact_rows
where
    {{ differs('list_cost_usd', 'input_cost_usd + output_cost_usd + cache_read_cost_usd + cache_write_cost_usd') }}
    or list_cost_usd is null and coalesce(input_cost_usd, output_cost_usd, cache_read_cost_usd, cache_write_cost_usd) is not null
    or input_cost_usd < 0
    or output_cost_usd < 0
    or cache_read_cost_usd < 0
    or cache_write_cost_usd < 0
