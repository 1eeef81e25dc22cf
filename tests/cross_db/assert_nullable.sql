-- Before the first row and after the last one is null, also where no row holds a null.
with numbers as (

    select 1 as number
    union all
    select 2 as number

),

neighbours as (

    select
        number,
        lag({{ nullable('number') }}) over (order by number) as previous_number,
        lead({{ nullable("coalesce(number, 0)") }}) over (order by number) as next_number
    from numbers

)

select * from neighbours
where
    {{ differs('previous_number', 'case when number = 2 then 1 end') }}
    or {{ differs('next_number', 'case when number = 1 then 2 end') }}
