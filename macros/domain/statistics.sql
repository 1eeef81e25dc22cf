{#- z of 95 %. -#}
{% macro _z() %}1.959964{% endmacro %}


{% macro wilson_low(successes, trials) -%}
    {{ _wilson_bound(successes, trials, '-') }}
{%- endmacro %}


{% macro wilson_high(successes, trials) -%}
    {{ _wilson_bound(successes, trials, '+') }}
{%- endmacro %}


{#- At no success the lower bound is 0 and at successes only the upper one is 1, which arithmetic of floats misses by a hair. -#}
{% macro _wilson_bound(successes, trials, sign) -%}
    {%- set k = 'cast(' ~ successes ~ ' as ' ~ type_double() ~ ')' -%}
    {%- set n = 'cast(nullif(' ~ trials ~ ', 0) as ' ~ type_double() ~ ')' -%}
    {%- set z = _z() -%}
    case
        when {{ n }} is null then null
        when {{ successes }} = {{ '0' if sign == '-' else trials }} then {{ '0.0' if sign == '-' else '1.0' }}
        else (
            ({{ k }} / {{ n }} + {{ z }} * {{ z }} / (2 * {{ n }}))
            {{ sign }} {{ z }} * sqrt(({{ k }} / {{ n }}) * (1 - {{ k }} / {{ n }}) / {{ n }} + {{ z }} * {{ z }} / (4 * {{ n }} * {{ n }}))
        ) / (1 + {{ z }} * {{ z }} / {{ n }})
    end
{%- endmacro %}


{% macro rate_difference_low(rate, low, other_rate, other_high) -%}
    {{ rate }} - {{ other_rate }} - sqrt(
        ({{ rate }} - {{ low }}) * ({{ rate }} - {{ low }}) + ({{ other_high }} - {{ other_rate }}) * ({{ other_high }} - {{ other_rate }})
    )
{%- endmacro %}


{% macro rate_difference_high(rate, high, other_rate, other_low) -%}
    {{ rate }} - {{ other_rate }} + sqrt(
        ({{ high }} - {{ rate }}) * ({{ high }} - {{ rate }}) + ({{ other_rate }} - {{ other_low }}) * ({{ other_rate }} - {{ other_low }})
    )
{%- endmacro %}


{% macro is_small_sample(trials) -%}
    {{ trials }} < 30
{%- endmacro %}
