-- A quotient of whole numbers keeps its fraction, and there is none by zero.
{%- set examples = [
    (7, 2, 3.5),
    (1, -4, -0.25),
    (0, 5, 0),
    (5, 0, none),
    (0, 0, none),
    (none, 2, none),
    (2, none, none),
    (9007199254740992, 2, 4503599627370496),
] %}

with examples as (

    {{ example_rows(examples, {
        'numerator': dbt.type_bigint(),
        'denominator': dbt.type_bigint(),
        'expected': type_double()
    }) }}

),

results as (

    select
        *,
        {{ ratio('numerator', 'denominator') }} as actual,
        {{ ratio('cast(numerator as ' ~ type_usd() ~ ')', 'denominator') }} as actual_usd
    from examples

)

select * from results
where
    {{ differs('actual', 'expected') }}
    or {{ differs('actual_usd', 'expected') }}
