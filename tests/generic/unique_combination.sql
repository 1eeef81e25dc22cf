{% test unique_combination(model, columns) %}

    select
        {{ columns | join(',\n        ') }},
        count(*) as row_count
    from {{ model }}
    group by
        {{ columns | join(',\n        ') }}
    having
        count(*) > 1
        {%- for column in columns %}
        or count({{ column }}) = 0
        {%- endfor %}

{% endtest %}
