-- Physical types, as each warehouse spells them, are of the kind they hold, and only a conversion that
-- may lose a value is watched for it.
{%- set kinds = [
    ('varchar', 'text'), ('character varying(512)', 'text'), ('text', 'text'), ('string', 'text'),
    ('varchar(16777216)', 'text'), ('nullable(string)', 'text'),
    ('bigint', 'integer'), ('integer', 'integer'), ('int', 'integer'), ('int64', 'integer'),
    ('number(38,0)', 'integer'), ('nullable(int64)', 'integer'),
    ('double', 'decimal'), ('double precision', 'decimal'), ('float64', 'decimal'), ('float', 'decimal'),
    ('real', 'decimal'), ('numeric(28,9)', 'decimal'), ('decimal(28,9)', 'decimal'), ('number(28,9)', 'decimal'),
    ('numeric', 'decimal'), ('nullable(float64)', 'decimal'),
    ('boolean', 'boolean'), ('bool', 'boolean'), ('nullable(bool)', 'boolean'),
    ('timestamp', 'timestamp'), ('timestamp without time zone', 'timestamp'), ('timestamp_ntz(9)', 'timestamp'),
    ('datetime', 'timestamp'), ('date', 'timestamp'), ("nullable(datetime64(3, 'utc'))", 'timestamp'),
    ('timestamp with time zone', 'zoned'), ('timestamptz', 'zoned'), ('timestamp_tz(9)', 'zoned'),
    ('timestamp_ltz(9)', 'zoned'),
    ('json', 'json'), ('jsonb', 'json'), ('super', 'json'), ('variant', 'json'), ('object', 'json'),
    ('array', 'json'), ('array<int64>', 'json'), ('struct(a integer)', 'json'), ('map<string,int>', 'json'),
    ('VARCHAR', 'text'), ('BIGINT', 'integer'),
] %}
{%- set losses = [
    ('varchar', 'text', false), ('varchar', 'id', false), ('varchar', 'object', false),
    ('varchar', 'bigint', true), ('varchar', 'usd', true), ('varchar', 'double', true),
    ('varchar', 'boolean', true), ('varchar', 'timestamp', true),
    ('bigint', 'bigint', false), ('bigint', 'double', false), ('bigint', 'usd', true), ('bigint', 'timestamp', true),
    ('double', 'bigint', true), ('double', 'usd', true), ('double', 'text', false),
    ('boolean', 'boolean', false), ('boolean', 'text', false), ('boolean', 'bigint', true),
    ('timestamp', 'timestamp', false), ('timestamp with time zone', 'timestamp', false), ('timestamp', 'text', false),
    ('json', 'text', false), ('json', 'bigint', true),
] %}

with results as (

    {% for physical_type, expected in kinds -%}
    select
        {{ text_literal(physical_type) }} as type_name,
        {{ text_literal(column_kind(physical_type)) }} as actual,
        {{ text_literal(expected) }} as expected

    union all

    {% endfor -%}
    {% for physical_type, logical_type, expected in losses -%}
    select
        {{ text_literal(physical_type ~ ' to ' ~ logical_type) }} as type_name,
        {{ text_literal(can_fail(physical_type, logical_type)) }} as actual,
        {{ text_literal(expected) }} as expected
    {% if not loop.last %}
    union all

    {% endif -%}
    {% endfor %}

)

select * from results
where {{ differs('actual', 'expected') }}
