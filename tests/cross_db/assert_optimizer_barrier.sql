-- A barrier keeps conditions apart and takes no row away: what is left is what both conditions leave.
with numbers as (

    {% for number in range(10) -%}
    select {{ number }} as number
    {% if not loop.last %}
    union all

    {% endif -%}
    {% endfor %}

),

left_over as (

    select number
    from (
        select * from numbers
        where number >= 3 {{ optimizer_barrier() }}
    ) as behind_barrier
    where number < 8

),

counted as (

    select
        count(*) as row_count,
        min(number) as lowest,
        max(number) as highest
    from left_over

)

select * from counted
where
    row_count != 5
    or lowest != 3
    or highest != 7
