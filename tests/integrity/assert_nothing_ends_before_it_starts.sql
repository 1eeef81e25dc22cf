with fact_rows as (

    {{ fact_rows(['started_at', 'ended_at']) }}

)

select * from fact_rows
where
    ended_at < started_at
    or ended_at is null
