-- Texts of a group are joined in the order of a number, not of the rows.
{%- set members = [
    ('unsorted', 3, 'c'), ('unsorted', 1, 'a'), ('unsorted', 10, 'd'), ('unsorted', 2, 'b ×2'),
    ('single', 7, 'only'),
] %}

with members as (

    {{ example_rows(members, {'member_group': type_text(), 'member_number': dbt.type_bigint(), 'member': type_text()}) }}

),

results as (

    select
        member_group,
        {{ joined_texts('member', ' > ', 'member_number') }} as actual
    from members
    group by member_group

)

select
    member_group,
    actual
from results
where actual != case member_group when 'single' then 'only' else 'a > b ×2 > c > d' end
