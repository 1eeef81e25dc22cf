-- The classes are disjoint, so their sum is the total; a total without any class is null.
with fact_rows as (

    {{ fact_rows(['input_tokens', 'output_tokens', 'cache_read_tokens', 'cache_write_tokens', 'total_tokens']) }}

)

select * from fact_rows
where
    {{ differs('total_tokens', sum_of_token_classes()) }}
    or input_tokens < 0
    or output_tokens < 0
    or cache_read_tokens < 0
    or cache_write_tokens < 0
