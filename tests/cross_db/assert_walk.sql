-- A walk reaches every node along the links once, with its distance, and ends where it should.
-- BigQuery allows recursion only at the top of a statement, not in the subquery of a data test.
{{ config(store_failures=(target.type == 'bigquery')) }}
{%- set links = [
    ('tree', 'root', none, 'true'),
    ('tree', 'child', 'root', 'true'),
    ('tree', 'other child', 'root', 'false'),
    ('tree', 'grandchild', 'child', 'true'),
    ('cycle', 'x', 'y', 'true'),
    ('cycle', 'y', 'z', 'true'),
    ('cycle', 'z', 'x', 'true'),
    ('own parent', 'x', 'x', 'true'),
    ('chain', '1', '2', 'true'),
    ('chain', '2', '3', 'false'),
    ('chain', '3', '4', 'false'),
    ('chain', '4', '5', 'false'),
    ('lost', 'child', 'absent', 'true'),
    ('alone', 'root', none, 'true'),
    ('nobody starts', 'child', 'root', 'false'),
] %}
{%- set expected_nodes = [
    ('tree', 'child', 'root', 1),
    ('tree', 'grandchild', 'child', 1),
    ('tree', 'grandchild', 'root', 2),
    ('cycle', 'x', 'y', 1),
    ('cycle', 'x', 'z', 2),
    ('cycle', 'y', 'z', 1),
    ('cycle', 'y', 'x', 2),
    ('cycle', 'z', 'x', 1),
    ('cycle', 'z', 'y', 2),
    ('own parent', 'x', 'x', 1),
    ('chain', '1', '2', 1),
    ('chain', '1', '3', 2),
    ('chain', '1', '4', 3),
    ('chain', '1', '5', 4),
    ('lost', 'child', 'absent', 1),
] %}

{{ with_recursive() }} links as (

    {% for walk_group, node, next_node, is_start in links -%}
    select
        cast({{ text_literal(walk_group) }} as {{ type_text() }}) as walk_group,
        cast({{ text_literal(node) }} as {{ type_text() }}) as node,
        cast({{ text_literal(next_node) if next_node else 'null' }} as {{ type_text() }}) as next_node,
        {{ is_start }} as is_start
    {% if not loop.last %}
    union all

    {% endif -%}
    {% endfor %}

),

no_links as (

    select
        walk_group,
        node,
        next_node,
        is_start
    from links
    where next_node is null

),

{{ walk('walked', 'links') }},

{{ walk('walked_two', 'links', maximum_distance=2) }},

{{ walk('walked_nowhere', 'no_links') }},

expectations as (

    {% for walk_group, start_node, node, distance in expected_nodes -%}
    select
        cast({{ text_literal(walk_group) }} as {{ type_text() }}) as walk_group,
        cast({{ text_literal(start_node) }} as {{ type_text() }}) as start_node,
        cast({{ text_literal(node) }} as {{ type_text() }}) as node,
        {{ distance }} as distance
    {% if not loop.last %}
    union all

    {% endif -%}
    {% endfor %}

),

both_sides as (

    select
        'walked' as walk_name,
        walk_group,
        start_node,
        node,
        distance,
        1 as occurrences
    from walked

    union all

    select
        'walked' as walk_name,
        walk_group,
        start_node,
        node,
        distance,
        -1 as occurrences
    from expectations

    union all

    select
        'walked_two' as walk_name,
        walk_group,
        start_node,
        node,
        distance,
        1 as occurrences
    from walked_two

    union all

    select
        'walked_two' as walk_name,
        walk_group,
        start_node,
        node,
        distance,
        -1 as occurrences
    from expectations
    where distance <= 2

    union all

    select
        'walked_nowhere' as walk_name,
        walk_group,
        start_node,
        node,
        distance,
        1 as occurrences
    from walked_nowhere

)

select
    walk_name,
    walk_group,
    start_node,
    node,
    distance
from both_sides
group by
    walk_name,
    walk_group,
    start_node,
    node,
    distance
having sum(occurrences) != 0
