with actions as (

    select * from {{ ref('int_user_actions_rated') }}

),

totals as (

    select
        run_key,
        count(*) as action_count,
        cast(avg(case when is_latest_rating then rating end) as {{ type_double() }}) as rating,
        {{ count_where('is_latest_rating') }} as rating_count,
        {{ count_where("action_type = 'regenerated'") }} as regenerated_count,
        {{ count_where("action_type = 'copied'") }} as copied_count,
        {{ count_where("action_type = 'shared'") }} as shared_count
    from actions
    group by run_key

)

select * from totals
