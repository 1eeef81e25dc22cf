-- More than a few words that no seed knows make rates wrong; audit_unknown_words lists them.
with words as (

    select
        table_name,
        sum(row_count) as unknown_count
    from {{ ref('audit_unknown_words') }}
    where word != '(not set)'
    group by table_name

),

facts as (

    {% for fact in ['fct_agent_runs', 'fct_agent_sessions', 'fct_agent_steps', 'fct_user_actions'] -%}
    select
        '{{ fact }}' as table_name,
        count(*) as fact_count
    from {{ ref(fact) }}
    {%- if not loop.last %}
    union all
    {% endif %}
    {%- endfor %}

)

select
    words.table_name,
    words.unknown_count,
    facts.fact_count
from words
inner join facts on words.table_name = facts.table_name
where words.unknown_count > {{ var('unknown_word_share') | float }} * facts.fact_count
