{% macro with_recursive() %}{{ return(adapter.dispatch('with_recursive', 'agent_analytics')()) }}{% endmacro %}

{% macro default__with_recursive() %}with recursive{% endmacro %}

{#- Spark 3.5 has no recursion, and that of Spark 4 collects every round on the driver. -#}
{% macro spark__with_recursive() %}with{% endmacro %}

{% macro redshift__with_recursive() %}with recursive{% endmacro %}


{% macro recursive_lookup(name, links, maximum_distance=none) %}
    {{- return(adapter.dispatch('recursive_lookup', 'agent_analytics')(name, links, maximum_distance)) -}}
{% endmacro %}

{% macro default__recursive_lookup(name, links, maximum_distance) -%}
{{ name }} (lookup_group, start_node, node, distance) as (
    {{- _lookup_by_recursion(name, links, maximum_distance) -}}
)
{%- endmacro %}

{#- A list of columns is not allowed there. -#}
{% macro bigquery__recursive_lookup(name, links, maximum_distance) -%}
{{ name }} as (
    {{- _lookup_by_recursion(name, links, maximum_distance) -}}
)
{%- endmacro %}

{% macro _lookup_by_recursion(name, links, maximum_distance) %}
    select
        lookup_group,
        node as start_node,
        next_node as node,
        1 as distance
    from {{ links }}
    where
        is_start
        and next_node is not null

    union all

    select
        {{ name }}.lookup_group,
        {{ name }}.start_node,
        links.next_node as node,
        {{ name }}.distance + 1 as distance
    from {{ name }}
    inner join {{ links }} as links
        on
            {{ name }}.lookup_group = links.lookup_group
            and {{ name }}.node = links.node
    where
        links.next_node is not null
        and links.next_node != {{ name }}.start_node
        {%- if maximum_distance is not none %}
        and {{ name }}.distance < {{ maximum_distance }}
        {%- endif %}
{% endmacro %}

{#- The links of a group travel to one executor as a map, and each lookup is done in it there. -#}
{% macro spark__recursive_lookup(name, links, maximum_distance) -%}
{{ name }} as (
    select
        lookup_group,
        start_node,
        node,
        node_order + 1 as distance
    from (
        select
            starts.lookup_group,
            starts.node as start_node,
            aggregate(
                sequence(
                    1,
                    {% if maximum_distance is none -%}
                    cardinality(maps.next_nodes)
                    {%- else -%}
                    least(cardinality(maps.next_nodes), {{ maximum_distance }})
                    {%- endif %}
                ),
                -- the second element, cut off again, says that elements may be null
                slice(array(starts.node, try_element_at(maps.next_nodes, starts.node)), 1, 1),
                (path, round) -> case
                    -- a path that did not grow in the round before has ended
                    when
                        size(path) = round
                        and coalesce(
                            round = 1
                            or try_element_at(maps.next_nodes, element_at(path, -1)) != starts.node,
                            false
                        )
                        then array_append(path, try_element_at(maps.next_nodes, element_at(path, -1)))
                    else path
                end,
                path -> slice(path, 2, size(path))
            ) as nodes
        from {{ links }} as starts
        inner join (
            select
                lookup_group,
                map_from_entries(collect_list(struct(node, next_node))) as next_nodes
            from {{ links }}
            where next_node is not null
            group by lookup_group
        ) as maps
            on starts.lookup_group = maps.lookup_group
        where
            starts.is_start
            and starts.next_node is not null
    ) as found
    lateral view posexplode(nodes) positions as node_order, node
)
{%- endmacro %}
