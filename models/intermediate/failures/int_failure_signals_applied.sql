{#- Built after the facts, so that a build that does not end classifies them once more. -#}
-- depends_on: {{ ref('fct_agent_runs') }}
select * from {{ ref('int_failure_signals_classified') }}
