{#- Compared with what the facts were priced with last. -#}
{%- set last_models = stored('int_models_applied') if is_incremental_build() else none -%}
{%- set last_prices = stored('int_prices_applied') if is_incremental_build() else none -%}

with models as (

    select * from {{ ref('int_models_resolved') }}

),

prices as (

    select * from {{ ref('int_model_prices') }}

),

changed_models as (

    {% if last_models is not none -%}
    select model_name
    from (
        select * from models
        except
        select * from {{ last_models }}
    ) as resolved_otherwise
    {%- else -%}
    select model_name from models
    where 1 = 0
    {%- endif %}

),

changed_prices as (

    {% if last_prices is not none -%}
    select priced_model
    from (
        select * from prices
        except
        select * from {{ last_prices }}
    ) as priced_otherwise

    union distinct

    select priced_model
    from (
        select * from {{ last_prices }}
        except
        select * from prices
    ) as priced_before
    {%- else -%}
    select priced_model from prices
    where 1 = 0
    {%- endif %}

)

select model_name from changed_models

union distinct

select models.model_name as model_name
from models
inner join changed_prices on models.canonical_model = changed_prices.priced_model
