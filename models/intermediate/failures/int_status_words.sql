{{ config(materialized='ephemeral') }}
{#- Rules name their words in one column; none names more. -#}
{%- set most_words = 100 %}

with status_words as (

    select * from {{ ref('status_words') }}

),

rules as (

    select * from {{ ref('failure_mode_rules') }}
    where
        match_field = 'status'
        and match_type = 'in'

),

positions as (

    {% for position in range(1, most_words + 1) -%}
    select cast({{ position }} as {{ dbt.type_bigint() }}) as word_position
    {%- if not loop.last %}
    union all
    {% endif %}
    {%- endfor %}

),

-- a word that a rule calls a failure is one, whether the seed knows it or not
named_by_rules as (

    select
        {{ item_of_list("replace(rules.pattern, '|', ',')", 'positions.word_position') }} as word,
        case
            when rules.failure_category = 'cancelled' then 'cancelled'
            when rules.failure_category = 'timeout' then 'timeout'
            when rules.severity = 'soft' then 'partial_success'
            else 'error'
        end as status,
        rules.priority as word_rank
    from rules
    cross join positions
    where length(rules.pattern) - length(replace(rules.pattern, '|', '')) >= positions.word_position - 1

),

words as (

    select
        {{ word('word') }} as word,
        lower(trim(status)) as status,
        -1 as word_rank
    from status_words

    union all

    select
        {{ word('word') }} as word,
        status,
        word_rank
    from named_by_rules

),

ranked as (

    select
        word,
        status,
        row_number() over (partition by word order by word_rank, status) as word_number
    from words

)

-- words that were sent with blanks are stored as a hash
{% for label in ['word', salted_hash('word')] -%}
select
    {{ label }} as status_label,
    word,
    status
from ranked
where word_number = 1
{% if not loop.last %}
union all

{% endif -%}
{% endfor %}
