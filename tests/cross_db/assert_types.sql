-- A value at the edge survives a cast to each type of the project.
with results as (

    select
        'double has 53 bits' as property,
        cast('16777217' as {{ type_double() }}) - cast('16777216' as {{ type_double() }}) = 1 as holds

    union all

    select
        'double has seventeen digits' as property,
        cast('0.1' as {{ type_double() }}) + cast('0.00000000000000001' as {{ type_double() }})
        > cast('0.1' as {{ type_double() }}) as holds

    union all

    select
        'double has eleven bits of exponent' as property,
        cast('1e300' as {{ type_double() }}) > cast('1e299' as {{ type_double() }}) as holds

    union all

    select
        'bigint has 64 bits' as property,
        cast(cast('9223372036854775807' as {{ dbt.type_bigint() }}) as {{ type_text() }})
        = '9223372036854775807' as holds

    union all

    select
        'bigint has a sign' as property,
        cast(cast('-9223372036854775807' as {{ dbt.type_bigint() }}) as {{ type_text() }})
        = '-9223372036854775807' as holds

    union all

    select
        'money has nine decimals' as property,
        cast('0.000000002' as {{ type_usd() }}) > cast('0.000000001' as {{ type_usd() }}) as holds

    union all

    select
        'money has 19 digits before them' as property,
        cast('1234567890123456789.123456789' as {{ type_usd() }})
        > cast('1234567890123456789.123456788' as {{ type_usd() }}) as holds

    union all

    select
        'a timestamp has milliseconds' as property,
        cast('2026-01-31 23:59:59.999' as {{ type_utc_timestamp() }})
        > cast('2026-01-31 23:59:59.998' as {{ type_utc_timestamp() }}) as holds

    union all

    select
        'a timestamp has microseconds' as property,
        cast('2026-01-31 23:59:59.999999' as {{ type_utc_timestamp() }})
        > cast('2026-01-31 23:59:59.999998' as {{ type_utc_timestamp() }}) as holds

    union all

    select
        'text has more than 256 characters' as property,
        {{ character_count('cast(' ~ text_literal('x' * 2000) ~ ' as ' ~ type_text() ~ ')') }} = 2000 as holds

    union all

    select
        'text keeps spaces at its end' as property,
        {{ character_count("cast(' x ' as " ~ type_text() ~ ')') }} = 3 as holds

)

select property
from results
where not coalesce(holds, false)
