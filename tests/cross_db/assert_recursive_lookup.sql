-- A recursive lookup reaches every node along the links once, with its distance, and ends where it should.
-- BigQuery allows recursion only at the top of a statement, not in the subquery of a data test.
{{ config(store_failures=(target.type == 'bigquery')) }}
{%- set links = [
    ('tree', 'root', none, true),
    ('tree', 'child', 'root', true),
    ('tree', 'other child', 'root', false),
    ('tree', 'grandchild', 'child', true),
    ('cycle', 'x', 'y', true),
    ('cycle', 'y', 'z', true),
    ('cycle', 'z', 'x', true),
    ('own parent', 'x', 'x', true),
    ('chain', '1', '2', true),
    ('chain', '2', '3', false),
    ('chain', '3', '4', false),
    ('chain', '4', '5', false),
    ('lost', 'child', 'absent', true),
    ('alone', 'root', none, true),
    ('nobody starts', 'child', 'root', false),
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

    {{ example_rows(links, {
        'lookup_group': type_text(),
        'node': type_text(),
        'next_node': type_text(),
        'is_start': dbt.type_boolean()
    }) }}

),

no_links as (

    select
        lookup_group,
        node,
        next_node,
        is_start
    from links
    where next_node is null

),

{{ recursive_lookup('found', 'links') }},

{{ recursive_lookup('found_within_two', 'links', maximum_distance=2) }},

{{ recursive_lookup('found_nothing', 'no_links') }},

expectations as (

    {{ example_rows(expected_nodes, {
        'lookup_group': type_text(),
        'start_node': type_text(),
        'node': type_text(),
        'distance': dbt.type_bigint()
    }) }}

),

both_sides as (

    {% for lookup_name, relation, occurrences in [
        ('found', 'found', 1),
        ('found', 'expectations', -1),
        ('found_within_two', 'found_within_two', 1),
        ('found_within_two', '(select * from expectations where distance <= 2) as near', -1),
        ('found_nothing', 'found_nothing', 1)
    ] -%}
    select
        '{{ lookup_name }}' as lookup_name,
        lookup_group || ': ' || start_node || ' > ' || node as way,
        cast(distance as {{ dbt.type_bigint() }}) as distance,
        {{ occurrences }} as occurrences
    from {{ relation }}
    {% if not loop.last %}
    union all

    {% endif -%}
    {% endfor %}

)

select
    lookup_name,
    way,
    distance
from both_sides
group by
    lookup_name,
    way,
    distance
having sum(occurrences) != 0
