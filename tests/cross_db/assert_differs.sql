-- Null is a value like any other; the answer itself is never null.
{%- set examples = [
    (1, 1, false),
    (1, 2, true),
    (none, 1, true),
    (1, none, true),
    (none, none, false),
    (0, none, true),
] %}

with examples as (

    {{ example_rows(examples, {
        'one_side': dbt.type_bigint(),
        'other_side': dbt.type_bigint(),
        'expected': dbt.type_boolean()
    }) }}

),

results as (

    select
        *,
        {{ differs('one_side', 'other_side') }} as actual
    from examples

)

select * from results
where coalesce(actual != expected, true)
