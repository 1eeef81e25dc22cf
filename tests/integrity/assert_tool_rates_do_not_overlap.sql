-- Two rates of a tool on one day would charge its calls twice.
with rates as (

    select
        tool_name,
        coalesce(valid_from, cast('1970-01-01' as date)) as valid_from,
        coalesce(valid_to, cast('9999-12-31' as date)) as valid_to
    from {{ ref('tool_rate_card') }}

),

followed as (

    select
        tool_name,
        valid_from,
        valid_to,
        lead({{ nullable('valid_from') }}) over (partition by tool_name order by valid_from, valid_to) as next_valid_from
    from rates

)

select *
from followed
where
    valid_to <= valid_from
    or next_valid_from < valid_to
