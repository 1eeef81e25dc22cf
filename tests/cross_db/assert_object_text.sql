-- A nested object is one text, its own column or a line for each of its flattened columns that holds something.
{%- set flattened = {
    'id': {'name': 'id', 'type': 'varchar'},
    'tool_output_rows': {'name': 'tool_output_rows', 'type': 'bigint'},
    'tool_output_ok': {'name': 'tool_output_ok', 'type': 'boolean'},
    'tool_output_error': {'name': 'tool_output_error', 'type': 'varchar'},
    'tool_outputs': {'name': 'tool_outputs', 'type': 'varchar'},
} %}
{%- set own_column = {'tool_output': {'name': 'tool_output_error', 'type': 'varchar'}} %}
{%- set examples = [
    ('no', 'true', '3', ['error=no', 'ok=true', 'rows=3'], 'no'),
    (none, 'false', '0', ['ok=false', 'rows=0'], none),
    ('', none, '3', ['rows=3'], none),
    ('no', none, none, ['error=no'], 'no'),
    (' ', none, none, ['error= '], ' '),
    (none, none, none, none, none),
] %}

with examples as (

    {% for error, ok, rows, lines, text in examples -%}
    select
        {{ loop.index }} as example,
        cast({{ text_literal(error) if error is not none else 'null' }} as {{ type_text() }}) as tool_output_error,
        cast({{ ok or 'null' }} as {{ dbt.type_boolean() }}) as tool_output_ok,
        cast({{ rows or 'null' }} as {{ dbt.type_bigint() }}) as tool_output_rows,
        cast('another property' as {{ type_text() }}) as tool_outputs,
        cast({{ "'" ~ lines | join("' || " ~ line_break() ~ " || '") ~ "'" if lines else 'null' }} as {{ type_text() }})
            as expected,
        cast({{ text_literal(text) if text is not none else 'null' }} as {{ type_text() }}) as expected_own
    {% if not loop.last %}
    union all

    {% endif -%}
    {% endfor %}

),

results as (

    select
        *,
        {{ object_text('tool_output', flattened) }} as actual,
        {{ object_text('tool_output', own_column) }} as actual_own,
        {{ text_literal(object_text('tool_input', flattened)) }} as actual_absent
    from examples

)

select * from results
where
    {{ differs('actual', 'expected') }}
    or {{ differs('actual_own', 'expected_own') }}
    or actual_absent != 'None'
