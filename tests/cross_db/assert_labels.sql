-- Labels stay readable when they look like identifiers, words and names are compared in one form; all else is a hash.
{%- set composes = target.type not in ('snowflake', 'redshift', 'spark', 'databricks') %}
{%- set feedback = [
    ('4 out of 5', '4/5'), ('4 of 5', '4/5'), ('4 / 5', '4/5'), ('4/5', '4/5'), (' 80 % ', '80%'), ('4,5', '4.5'), ('5 Stars', '5'),
    ('+1', '+1'), ('-0.5', '-0.5'), ('True', 'true'), ('thumbs_up', 'thumbs_up'), ('thumbs up', none), ('👍', none),
    ('call me on 555', none),
] %}
{%- set examples = [
    ('success', 'success', 'success', 'success', 'success'),
    ('Timed Out', none, 'timed_out', none, 'Timed Out'),
    (' TIMED-OUT\n', none, 'timed_out', 'timed_out', 'TIMED-OUT'),
    ('openai.RateLimitError', 'openai.RateLimitError', 'openai.ratelimiterror', 'openai.ratelimiterror', 'openai.RateLimitError'),
    ('a@b.example', none, 'a@b.example', none, 'a@b.example'),
    ('x' * 80, 'x' * 80, 'x' * 80, 'x' * 80, 'x' * 80),
    ('x' * 81, none, 'x' * 81, none, 'x' * 81),
    ('known word', none, 'known_word', 'known_word', 'known word'),
    ('Senior  Research\tAnalyst\n', none, 'senior_research_analyst', none, 'Senior Research Analyst'),
    ('Analyst\n', none, 'analyst', 'analyst', 'Analyst'),
    ('\u00a0Writer\u00a0', none, 'writer', 'writer', 'Writer'),
    ('cafe\u0301' if composes else 'café', none, 'cafe\u0301' if composes else 'café', none, 'café'),
    ('  ', none, '', none, none),
    (none, none, none, none, none),
] %}

with examples as (

    {{ example_rows(examples, {
        'given': type_text(),
        'expected_label': type_text(),
        'expected_word': type_text(),
        'expected_word_label': type_text(),
        'expected_name': type_text()
    }) }}

),

results as (

    select
        *,
        {{ label('given') }} as actual_label,
        {{ word('given') }} as actual_word,
        {{ word_label('given', ['known_word']) }} as actual_word_label,
        {{ tidy_name('given') }} as actual_name,
        {{ salted_hash('given') }} as hash_of_text,
        {{ salted_hash('expected_word') }} as hash_of_word
    from examples

),

feedback as (

    {{ example_rows(feedback, {'given': type_text(), 'expected': type_text()}) }}

),

feedback_results as (

    select
        example,
        expected,
        {{ feedback_label('given') }} as actual,
        {{ salted_hash('given') }} as hash_of_text
    from feedback

),

all_results as (

    select
        example,
        {{ differs('actual', 'coalesce(expected, hash_of_text)') }} as is_wrong
    from feedback_results

    union all

    select
        example,

        {{ differs('actual_label', 'coalesce(expected_label, hash_of_text)') }}
        or {{ differs('actual_word', 'expected_word') }}
        or {{ differs('actual_word_label', 'coalesce(expected_word_label, hash_of_word)') }}
        or {{ differs('actual_name', 'expected_name') }} as is_wrong
    from results

)

select * from all_results
where is_wrong
