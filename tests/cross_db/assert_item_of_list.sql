-- Items are counted from one, and an empty item is an item.
{%- set examples = [
    ('cost,', 1, 'cost'),
    ('duration_ms,cost,timestamp,', 1, 'duration_ms'),
    ('duration_ms,cost,timestamp,', 2, 'cost'),
    ('duration_ms,cost,timestamp,', 3, 'timestamp'),
    ('a,,c', 2, ''),
    ('a,,c', 3, 'c'),
] %}

with examples as (

    {{ example_rows(examples, {
        'list': type_text(),
        'item_position': dbt.type_bigint(),
        'expected': type_text()
    }) }}

),

results as (

    select
        *,
        {{ item_of_list('list', 'item_position') }} as actual
    from examples

)

select * from results
where coalesce(actual != expected, true)
