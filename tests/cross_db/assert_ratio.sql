-- A quotient of whole numbers keeps its fraction, and there is none by zero.
{%- set examples = [
    ('7', '2', '3.5'),
    ('1', '-4', '-0.25'),
    ('0', '5', '0'),
    ('5', '0', 'null'),
    ('0', '0', 'null'),
    ('null', '2', 'null'),
    ('2', 'null', 'null'),
    ('9007199254740992', '2', '4503599627370496'),
] %}

with examples as (

    {% for numerator, denominator, quotient in examples -%}
    select
        {{ loop.index }} as example,
        cast({{ numerator }} as {{ dbt.type_bigint() }}) as numerator,
        cast({{ denominator }} as {{ dbt.type_bigint() }}) as denominator,
        cast({{ numerator }} as {{ type_usd() }}) as numerator_usd,
        cast({{ quotient }} as {{ type_double() }}) as expected
    {% if not loop.last %}
    union all

    {% endif -%}
    {% endfor %}

),

results as (

    select
        example,
        expected,
        {{ ratio('numerator', 'denominator') }} as actual,
        {{ ratio('numerator_usd', 'denominator') }} as actual_usd
    from examples

)

select
    example,
    expected,
    actual,
    actual_usd
from results
where
    {{ differs('actual', 'expected') }}
    or {{ differs('actual_usd', 'expected') }}
