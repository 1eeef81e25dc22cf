select
    canonical_model,
    valid_from,
    count(*) as price_count
from {{ ref('model_pricing') }}
group by
    canonical_model,
    valid_from
having count(*) > 1
