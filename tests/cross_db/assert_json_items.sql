-- The items of a JSON list come one per row, in order; what is no list has none.
{%- set examples = [
    ('[{"agent_name": "planner", "calls": 2}, {"agent_name": null}]', '1:planner:2,2::'),
    ('[{"agent_name": "[a, b]"}]', '1:[a, b]:'),
    ('[]', none),
    ('{"agent_name": "planner"}', none),
    ('[{"agent_name": "planner"}', none),
    ('planner', none),
    ('', none),
    (none, none),
] %}

with examples as (

    {{ example_rows(examples, {'list_text': type_text(), 'expected': type_text()}) }}

),

items as (

    {{ json_items('examples', 'example', 'list_text') }}

),

read_items as (

    select
        example,
        cast(item_position as {{ type_text() }})
        || ':' || coalesce({{ json_text('item', ['agent_name'], is_text=true) }}, '')
        || ':' || coalesce({{ json_text('item', ['calls'], is_text=true) }}, '') as item_text,
        item_position
    from items

),

results as (

    select
        examples.example as example,
        examples.expected,
        max(case when read_items.item_position = 1 then read_items.item_text end)
        || coalesce(max(case when read_items.item_position = 2 then ',' || read_items.item_text end), '') as actual
    from examples
    left join read_items on examples.example = read_items.example
    group by
        examples.example,
        examples.expected

)

select * from results
where {{ differs('actual', 'expected') }}
