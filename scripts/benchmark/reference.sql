-- The yardstick: the four facts and three marts of this project as one hand-written DuckDB script,
-- tuned for speed and for nothing else. Run it with scripts/benchmark/run_reference.py.
--
-- It reads Parquet files of event tables as scripts/generate_events.py writes them and the seeds'
-- CSV files. It assumes what the project cannot assume: every column is there under its usual name
-- and with its usual type, all in one schema, UTC days, default settings. It copes with the same
-- dirt: repeated deliveries, missing ids, orphans, conflicting completions, skewed clocks, unknown
-- models and parents.
--
-- How it saves time: rows are known by their position in the files and runs and sessions by a 64-bit
-- hash (two of 1.3 million sessions share one in one of 20 million data sets); text keys are made
-- once per run and session; only narrow columns are sorted; rare cases (repeated ids, missing ids,
-- failures) are looked for with cheap passes and handled apart; working tables stay in memory.
-- The tables it leaves are stored like the project's: same file format, default compression.
--
-- Variables to set first: event_files (table -> its Parquet files), rows_per_file (at most, in any
-- of them), seeds_dir, hash_salt.

set TimeZone = 'UTC';
set preserve_insertion_order = false;

-- Expressions used in several places ------------------------------------------------------------

create temp macro filled(value) as
    case when value >= '!' then value when trim(value) != '' then value end;
create temp macro utc(zoned) as make_timestamp(epoch_us(zoned));
create temp macro possible(moment, loaded) as
    case
        when moment >= timestamptz '2015-01-01 00:00:00+00'
            and coalesce(epoch_us(moment) <= epoch_us(loaded) + 86400000000, true)
            then moment
    end;
create temp macro is_skewed(sent, received, loaded) as
    possible(sent, loaded) is null
    or coalesce(epoch_us(sent) > epoch_us(possible(received, loaded)) + 86400000000, false);
create temp macro event_time(sent, received, original, device, loaded) as
    utc(case
        when is_skewed(sent, received, loaded)
            then coalesce(
                possible(received, loaded), possible(original, loaded), possible(device, loaded), loaded
            )
        else sent
    end);
create temp macro minus_ms(given_at, milliseconds) as
    make_timestamp(epoch_us(given_at) - cast(milliseconds as bigint) * 1000);
create temp macro ms_between(earlier, later) as epoch_ms(later) - epoch_ms(earlier);
create temp macro sane_ms(milliseconds) as
    case when milliseconds between 0 and 2592000000 then milliseconds end;
create temp macro is_suspect_ms(milliseconds) as
    coalesce(milliseconds not between 0 and 2592000000, false);
create temp macro sane_tokens(tokens) as
    case when tokens between 0 and 1000000000000 then tokens end;
-- halves of the ninth decimal go up: the cast alone multiplies first and may end below the half
create temp macro money(value) as cast(round(value, 12) + sign(value) * 0.0000000000001 as decimal(28, 9));
create temp macro usd(value) as money(case when abs(value) <= 1e12 then value end);
create temp macro status_of(status) as
    case
        when status = 'success' then 'success'
        when status is null then null
        when lower(status) in ('success', 'succeeded', 'ok', 'completed', 'complete') then 'success'
        when lower(status) in ('error', 'failed', 'failure') then 'error'
        when lower(status) in ('timeout', 'timed_out') then 'timeout'
        when lower(status) in ('user_cancelled', 'cancelled', 'canceled', 'aborted') then 'cancelled'
        when lower(status) in ('partial_success', 'partial') then 'partial_success'
        else 'unknown'
    end;
create temp macro comparable_message(message) as
    left(
        regexp_replace(
            regexp_replace(
                lower(left(message, 2000)),
                '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{16,}', '<id>', 'g'
            ),
            '[0-9]{6,}', '<number>', 'g'
        ),
        1000
    );
create temp macro message_class(message) as
    case
        when message is not null
            then left(sha256(getvariable('hash_salt') || regexp_replace(
                regexp_replace(
                    regexp_replace(
                        regexp_replace(
                            lower(left(message, 2000)), '[a-z]+://[^ ]+|[^ ]+@[^ ]+', '<address>', 'g'
                        ),
                        '["''`][^"''`]*["''`]', '<quoted>', 'g'
                    ),
                    '[0-9a-f]*[0-9][0-9a-f.:-]*', '<number>', 'g'
                ),
                '[[:space:]]+', ' ', 'g'
            )), 12)
    end;
create temp macro is_trouble(status, error_type, error_message, http_status) as
    coalesce(status_of(status), 'unknown') not in ('success', 'unknown')
    or error_type is not null or error_message is not null or http_status is not null;
create temp macro uncached(prompt, cache_read, cache_write, read_included, write_included) as
    case
        when
            case when read_included then coalesce(cache_read, 0) else 0 end
            + case when write_included then coalesce(cache_write, 0) else 0 end > prompt
            then prompt
        else
            prompt
            - case when read_included then coalesce(cache_read, 0) else 0 end
            - case when write_included then coalesce(cache_write, 0) else 0 end
    end;
create temp macro sum_of_classes(i, o, r, w) as
    case
        when coalesce(i, o, r, w) is not null
            then coalesce(i, 0) + coalesce(o, 0) + coalesce(r, 0) + coalesce(w, 0)
    end;
create temp macro believable(cost, zero_is_fine) as
    case when cost > 0 then cost when cost = 0 and zero_is_fine then cost end;
-- `rate` is a struct of four prices per million tokens
create temp macro list_price(i, o, r, w, rate) as
    money((
        case when coalesce(i, 0) = 0 then 0 else i * rate.input end
        + case when coalesce(o, 0) = 0 then 0 else o * rate.output end
        + case when coalesce(r, 0) = 0 then 0 else r * rate.cache_read end
        + case when coalesce(w, 0) = 0 then 0 else w * rate.cache_write end
    ) / 1000000.0);
-- costs of the four classes, whose rounded sum meets the list price at the dearest one
create temp macro settled(costs, listed) as
    list_transform(
        costs,
        (cost, place) -> cast(
            cost + case
                when place = list_position(costs, list_max(costs)) then listed - list_sum(costs) else 0
            end as decimal(28, 9)
        )
    );
create temp macro class_costs(i, o, r, w, rate, listed) as
    case
        when listed is not null
            then settled(
                [
                    money(case when coalesce(i, 0) = 0 then 0 else i * rate.input end / 1000000.0),
                    money(case when coalesce(o, 0) = 0 then 0 else o * rate.output end / 1000000.0),
                    money(case when coalesce(r, 0) = 0 then 0 else r * rate.cache_read end / 1000000.0),
                    money(case when coalesce(w, 0) = 0 then 0 else w * rate.cache_write end / 1000000.0)
                ],
                listed
            )
    end;
create temp macro text_rule_first(text_rule, signal_rule, field) as
    case
        when text_rule.priority < coalesce(signal_rule.priority, 100000)
            then struct_extract(text_rule, field)
        else struct_extract(signal_rule, field)
    end;

-- Seeds -----------------------------------------------------------------------------------------

create temp table rules as
select *
from read_csv(
    getvariable('seeds_dir') || '/taxonomy/failure_mode_rules.csv',
    all_varchar = true
);
alter table rules alter column priority type integer;
alter table rules alter column is_billed type boolean;

create temp table scales as
select
    feedback_type,
    value_label,
    cast(worst_value as double) as worst_value,
    cast(best_value as double) as best_value,
    cast(rating as double) as rating
from read_csv(getvariable('seeds_dir') || '/taxonomy/feedback_scales.csv', all_varchar = true);

create temp table agent_catalog as
select
    agent_name,
    execution_mode,
    cast(latency_slo_ms as bigint) as latency_slo_ms
from read_csv(getvariable('seeds_dir') || '/taxonomy/agent_catalog.csv', all_varchar = true);

create temp table agent_rates as
select
    agent_name,
    max(role) as agent_role,
    max(cast(infrastructure_usd_per_hour as double)) as usd_per_hour
from read_csv(getvariable('seeds_dir') || '/taxonomy/agent_catalog.csv', all_varchar = true)
group by agent_name;

create temp table workflow_catalog as
select
    workflow_name,
    execution_mode,
    cast(latency_slo_ms as bigint) as slo_ms
from read_csv(getvariable('seeds_dir') || '/taxonomy/workflow_catalog.csv', all_varchar = true);

create temp table tool_rates as
select
    tool_name as rated_tool,
    coalesce(cast(usd_per_call as double), 0) as usd_per_call,
    coalesce(cast(usd_per_second as double), 0) as usd_per_second,
    coalesce(cast(valid_from as date), date '1970-01-01') as valid_from,
    coalesce(cast(valid_to as date), date '9999-12-31') as valid_to
from read_csv(getvariable('seeds_dir') || '/pricing/tool_rate_card.csv', all_varchar = true);

-- A star in an alias stands for any text, as few letters of it as will do.
create temp table aliases as
select
    lower(alias) as alias,
    match_type,
    canonical_model,
    length(alias) as alias_length,
    replace(regexp_escape(lower(alias)), '\*', '.*?') as alias_regex,
    case when match_type = 'suffix' then regexp_extract(lower(alias), '([^*]+)[*]?$', 1) end as ending,
    case when match_type = 'suffix' then regexp_extract(lower(alias), '^([^*]*)[*].', 1) end as beginning
from read_csv(getvariable('seeds_dir') || '/pricing/model_aliases.csv', all_varchar = true);

create temp table conventions as
select
    provider,
    cast(prompt_tokens_include_cache_read as boolean) as read_included,
    cast(prompt_tokens_include_cache_write as boolean) as write_included
from read_csv(getvariable('seeds_dir') || '/pricing/provider_token_conventions.csv', all_varchar = true);

create temp table prices as
with sent as (
    select
        *,
        input_usd_per_million_tokens as i,
        output_usd_per_million_tokens as o,
        cache_read_usd_per_million_tokens as r,
        cache_write_usd_per_million_tokens as w
    from read_csv(getvariable('seeds_dir') || '/pricing/model_pricing.csv', all_varchar = true)
)

select
    provider,
    canonical_model,
    -- before the first known price, that one is taken
    case
        when valid_from = min(valid_from) over (partition by canonical_model) then date '1970-01-01'
        else cast(valid_from as date)
    end as valid_from,
    cast(valid_from as date) as known_from,
    coalesce(cast(valid_to as date), date '9999-12-31') as valid_to,
    valid_from = max(valid_from) over (partition by canonical_model) as is_newest,
    cast(long_context_threshold_tokens as bigint) as long_from,
    struct_pack(
        input := cast(i as double), output := cast(o as double),
        cache_read := cast(r as double), cache_write := cast(w as double)
    ) as rate,
    struct_pack(
        input := cast(coalesce(long_context_input_usd_per_million_tokens, i) as double),
        output := cast(coalesce(long_context_output_usd_per_million_tokens, o) as double),
        cache_read := cast(coalesce(long_context_cache_read_usd_per_million_tokens, r) as double),
        cache_write := cast(coalesce(long_context_cache_write_usd_per_million_tokens, w) as double)
    ) as long_rate
from sent;

-- Events as they were sent ----------------------------------------------------------------------

create temp macro events_of(event_table) as table
select
    * exclude (file_row_number, id, conversation_id, interaction_id, user_id, anonymous_id, parent_interaction_id),
    file_index::bigint * getvariable('rows_per_file') + file_row_number as row_number,
    filled(id) as event_id,
    filled(conversation_id) as conversation_id,
    filled(interaction_id) as interaction_id,
    filled(parent_interaction_id) as parent_interaction_id,
    filled(user_id) as user_id,
    filled(anonymous_id) as anonymous_id,
    event_time("timestamp", received_at, original_timestamp, sent_at, uuid_ts) as event_at,
    is_skewed("timestamp", received_at, uuid_ts) as has_clock_skew
from read_parquet(getvariable('event_files')[event_table], file_row_number = true);

create temp view sent_prompts as from events_of('ai_user_prompt_created');
create temp view sent_responses as from events_of('ai_agent_response_received');
create temp view sent_completions as from events_of('ai_interaction_completed');
create temp view sent_actions as from events_of('ai_user_action');
create temp view sent_starts as
select * replace (filled(agent_session_id) as agent_session_id, filled(parent_agent_session_id) as parent_agent_session_id)
from events_of('ai_agent_session_started');
create temp view sent_ends as
select * replace (filled(agent_session_id) as agent_session_id, filled(parent_agent_session_id) as parent_agent_session_id)
from events_of('ai_agent_session_completed');
create temp view sent_steps as
select * replace (filled(agent_session_id) as agent_session_id)
from events_of('ai_agent_step_completed');

create temp view sent_ids as
select 1 as source, row_number, event_id, conversation_id, interaction_id, null as agent_session_id from sent_prompts
union all
select 2, row_number, event_id, conversation_id, interaction_id, null from sent_responses
union all
select 3, row_number, event_id, conversation_id, interaction_id, null from sent_completions
union all
select 4, row_number, event_id, conversation_id, interaction_id, null from sent_actions
union all
select 5, row_number, event_id, conversation_id, interaction_id, agent_session_id from sent_starts
union all
select 6, row_number, event_id, conversation_id, interaction_id, agent_session_id from sent_ends
union all
select 7, row_number, event_id, conversation_id, interaction_id, agent_session_id from sent_steps;

-- Other deliveries: all but the newest loaded of each event id. Ids are compared by hash first.
create temp macro later_deliveries_of(events) as table
with repeated as (
    select hash(event_id) as id_hash
    from query_table(events)
    where event_id is not null
    group by id_hash
    having count(*) > 1
)

select row_number
from query_table(events)
where hash(event_id) in (from repeated) and event_id is not null
qualify row_number() over (
    partition by event_id
    order by uuid_ts desc nulls last, received_at desc nulls last, event_at desc nulls last
) > 1;

-- Events that name no conversation or no interaction, and what others say about their ids.
create temp table incomplete as
select * from sent_ids
where event_id is not null and (conversation_id is null or interaction_id is null);

create temp table repaired_interactions as
select
    interaction_id,
    min(conversation_id) as conversation_id
from (
    select distinct interaction_id, conversation_id
    from sent_ids
    where
        event_id is not null
        and conversation_id is not null
        and interaction_id in (select interaction_id from incomplete where conversation_id is null)
)
group by interaction_id
having count(*) = 1;

create temp table repaired_sessions as
select
    agent_session_id,
    sent_conversation_id,
    min(conversation_id) as conversation_id,
    min(interaction_id) as interaction_id
from (
    select distinct
        lacking.agent_session_id,
        lacking.sent_conversation_id,
        known.conversation_id,
        known.interaction_id
    from (
        select distinct agent_session_id, coalesce(conversation_id, '') as sent_conversation_id
        from incomplete
        where interaction_id is null and agent_session_id is not null
    ) as lacking
    inner join sent_ids as known
        on
            lacking.agent_session_id = known.agent_session_id
            and lacking.sent_conversation_id in ('', known.conversation_id)
    where known.event_id is not null and known.conversation_id is not null and known.interaction_id is not null
)
group by agent_session_id, sent_conversation_id
having count(*) = 1;

create temp table repaired as
select
    incomplete.source,
    incomplete.row_number,
    coalesce(incomplete.conversation_id, by_interaction.conversation_id, by_session.conversation_id) as conversation_id,
    coalesce(incomplete.interaction_id, by_session.interaction_id) as interaction_id
from incomplete
left join repaired_interactions as by_interaction
    on incomplete.interaction_id = by_interaction.interaction_id and incomplete.conversation_id is null
left join repaired_sessions as by_session
    on
        incomplete.agent_session_id = by_session.agent_session_id
        and coalesce(incomplete.conversation_id, '') = by_session.sent_conversation_id
        and incomplete.interaction_id is null;

-- Events that count: first delivery, with an id, a time and a run.
create temp table later_deliveries as
select 1 as source, * from later_deliveries_of('sent_prompts')
union all select 2, * from later_deliveries_of('sent_responses')
union all select 3, * from later_deliveries_of('sent_completions')
union all select 4, * from later_deliveries_of('sent_actions')
union all select 5, * from later_deliveries_of('sent_starts')
union all select 6, * from later_deliveries_of('sent_ends')
union all select 7, * from later_deliveries_of('sent_steps');

create temp macro accepted(events, source_number) as table
select
    sent.* exclude (conversation_id, interaction_id),
    coalesce(sent.conversation_id, fixed.conversation_id) as conversation_id,
    coalesce(sent.interaction_id, fixed.interaction_id) as interaction_id
from query_table(events) as sent
left join (select * from repaired where source = source_number) as fixed on sent.row_number = fixed.row_number
where
    sent.event_id is not null
    and sent.event_at is not null
    and coalesce(sent.conversation_id, fixed.conversation_id) is not null
    and coalesce(sent.interaction_id, fixed.interaction_id) is not null
    and sent.row_number not in (select row_number from later_deliveries where source = source_number);

-- Failures: each distinct combination of what the rules look at is matched once -------------------

create temp table trouble as
select
    7 as source, row_number, event_id,
    lower(step_type) as step_type, lower(status) as status, lower(error_type) as error_type,
    cast(http_status as varchar) as http_status, comparable_message(error_message) as error_message
from sent_steps
where is_trouble(status, error_type, error_message, http_status)
union all
select
    6, row_number, event_id, 'session', lower(status), lower(error_type),
    cast(http_status as varchar), comparable_message(error_message)
from sent_ends
where is_trouble(status, error_type, error_message, http_status)
union all
select 2, row_number, event_id, 'session', lower(response_status), null, null, null
from sent_responses
where is_trouble(response_status, null, null, null)
union all
select 3, row_number, event_id, 'run', lower(status), null, null, null
from sent_completions
where is_trouble(status, null, null, null);

create temp table signal_rules as
with signals as (
    select distinct
        hash(step_type, status, error_type, http_status, error_message) as signal_hash,
        step_type, status, status_of(status) as normalized_status, error_type, http_status, error_message
    from trouble
),

compared as (
    select
        signals.*,
        rules.*,
        case rules.match_field
            when 'status' then signals.status
            when 'error_type' then signals.error_type
            when 'http_status' then signals.http_status
            when 'error_message' then signals.error_message
        end as field,
        coalesce(signals.step_type in ('llm_call', 'tool_call'), false) as is_call
    from signals, (select * exclude (rule_id), rule_id from rules where match_field != 'response_text') as rules
    where
        (
            rules.step_scope in ('any', signals.step_type)
            or (
                coalesce(signals.step_type, '') not in ('llm_call', 'tool_call')
                and (rules.step_scope = 'session' or rules.match_field != 'status')
            )
        )
        and (
            rules.match_field in ('status', 'finish_reason')
            or coalesce(signals.normalized_status, 'unknown') != 'success'
        )
)

select
    signal_hash,
    struct_pack(
        priority := priority, rule_id := rule_id, failure_mode := failure_mode,
        failure_category := failure_category, failure_group := failure_group, severity := severity,
        is_billed := is_billed
    ) as rule
from compared
where
    case match_type
        when 'in'
            then contains('|' || pattern || '|', '|' || field || '|')
            or (match_field = 'status' and contains('|' || pattern || '|', '|' || normalized_status || '|'))
        when 'contains' then contains(field, pattern)
        when 'regex' then regexp_matches(field, pattern)
    end
qualify row_number() over (
    partition by signal_hash
    order by
        case when not is_call and step_scope = 'tool_call' then 89 + priority / 1000.0 else priority end,
        priority,
        rule_id
) = 1;

create temp table text_rules as
with text_patterns as (
    select * from rules
    where match_field = 'response_text'
),

texts as (
    select event_id, response_text from sent_steps where response_text is not null
    union all
    select event_id, response_text from sent_ends where response_text is not null
    union all
    select event_id, response_text from sent_responses where response_text is not null
    union all
    select event_id, final_response_text from sent_completions where final_response_text is not null
)

select
    texts.event_id,
    struct_pack(
        priority := rules.priority, rule_id := rules.rule_id, failure_mode := rules.failure_mode,
        failure_category := rules.failure_category, failure_group := rules.failure_group, severity := rules.severity,
        is_billed := rules.is_billed
    ) as rule
from texts
inner join text_patterns as rules
    on case rules.match_type
        when 'contains' then contains(lower(texts.response_text), rules.pattern)
        when 'regex' then regexp_matches(lower(texts.response_text), rules.pattern)
        when 'in' then contains('|' || rules.pattern || '|', '|' || lower(texts.response_text) || '|')
    end
qualify row_number() over (partition by texts.event_id order by rules.priority, rules.rule_id) = 1;

create temp table row_signals as
select
    source,
    row_number,
    event_id,
    hash(step_type, status, error_type, http_status, error_message) as signal_hash
from trouble;

-- Rules of the steps only; sessions and runs choose between their sources first.
create temp table step_rules as
select
    coalesce(by_signal.event_id, text_rules.event_id) as event_id,
    text_rules.rule as text_rule,
    by_signal.rule as signal_rule
from (
    select row_signals.event_id, signal_rules.rule
    from row_signals
    inner join signal_rules on row_signals.signal_hash = signal_rules.signal_hash
    where row_signals.source = 7
        and row_signals.row_number not in (select row_number from later_deliveries where source = 7)
) as by_signal
full join text_rules on by_signal.event_id = text_rules.event_id;

-- Models and prices -----------------------------------------------------------------------------

create temp table models as
with recursive names as (
    select distinct lower(trim(model_name)) as model_name
    from (
        select model_name from sent_steps
        union
        select model_used from sent_ends
        union
        select model_used from sent_starts
        union
        select model_used from sent_responses
    )
    where model_name is not null
),

-- gateways, vendors and regions come off the front one after the other, at most five
bare (model_name, bare_name, round) as (
    select model_name, replace(model_name, ' ', '-'), 0 from names
    union all
    select
        bare.model_name,
        regexp_replace(
            bare.bare_name, arg_max('^' || aliases.alias_regex, (aliases.alias_length, aliases.alias)), ''
        ),
        bare.round + 1
    from bare
    inner join aliases
        on aliases.match_type = 'prefix' and regexp_matches(bare.bare_name, '^' || aliases.alias_regex)
    where bare.round < 5
    group by bare.model_name, bare.bare_name, bare.round
),

-- what says nothing about the price comes off the end, at most twice
without_end (model_name, bare_name, round) as (
    select model_name, bare_name, 0 from bare
    union all
    select
        without_end.model_name,
        substr(
            without_end.bare_name, 1,
            arg_max(
                case
                    when aliases.alias like '%*'
                        then strpos(without_end.bare_name, aliases.ending) - 1
                    else length(without_end.bare_name) - length(aliases.ending)
                end,
                aliases.alias_length
            )
        ),
        without_end.round + 1
    from without_end
    inner join aliases
        on
            aliases.match_type = 'suffix'
            and starts_with(without_end.bare_name, coalesce(aliases.beginning, ''))
            and regexp_matches(
                without_end.bare_name,
                regexp_escape(aliases.ending) || case when aliases.alias like '%*' then '' else '$' end
            )
    where without_end.round < 2
    group by without_end.model_name, without_end.bare_name, without_end.round
),

matched as (
    select
        without_end.model_name,
        first(
            aliases.canonical_model
            order by
                aliases.alias_length desc,
                list_position(['exact', 'family', 'pattern'], aliases.match_type),
                aliases.canonical_model nulls last
        ) as canonical_model
    from without_end
    inner join aliases
        on
            (aliases.match_type = 'exact' and without_end.bare_name = aliases.alias)
            or (
                aliases.match_type = 'family'
                and starts_with(without_end.bare_name, aliases.alias)
                and regexp_full_match(
                    substr(without_end.bare_name, aliases.alias_length + 1),
                    '([-@:_.]?(latest|preview|exp|beta|default|20[0-9]{2}-?[0-9]{2}-?[0-9]{2}|[0-9]{2}-20[0-9]{2}'
                    || '|[0-9]{2}-[0-9]{2}|[0-9]{3,4}|v[0-9]+(:[0-9]+k?)*))*'
                )
            )
            or (
                aliases.match_type = 'pattern'
                and regexp_full_match(without_end.bare_name, aliases.alias_regex)
            )
    group by without_end.model_name
)

select
    names.model_name,
    matched.canonical_model,
    coalesce(conventions.read_included, fallback.read_included) as read_included,
    coalesce(conventions.write_included, fallback.write_included) as write_included
from names
left join matched on names.model_name = matched.model_name
left join (select canonical_model, min(provider) as provider from prices group by all) as providers
    on matched.canonical_model = providers.canonical_model
left join conventions on providers.provider = conventions.provider
left join (select * from conventions where provider = 'default') as fallback on true;

-- Sessions --------------------------------------------------------------------------------------

create temp table starts as
select
    row_number, event_id, event_at, received_at, has_clock_skew,
    conversation_id, interaction_id, agent_session_id, parent_agent_session_id, parent_interaction_id,
    user_id, anonymous_id, context_source_id as source_id, workflow_name, environment,
    lower(trigger_type) as trigger_type, lower(execution_mode) as execution_mode,
    agent_name, model_used as model_name,
    hash(conversation_id, interaction_id) as run_hash,
    hash(conversation_id, interaction_id, agent_session_id) as session_hash
from accepted('sent_starts', 5)
where agent_session_id is not null;

create temp table ends as
select
    ends.row_number, ends.event_id, event_at, received_at, has_clock_skew,
    conversation_id, interaction_id, agent_session_id, parent_agent_session_id, parent_interaction_id,
    user_id, anonymous_id, context_source_id as source_id, workflow_name, environment,
    agent_name, model_used as model_name,
    status_of(status) as session_status,
    lower(trim(status)) as sent_status,
    duration_ms,
    steps_count as reported_steps_count,
    length(response_text) as response_length,
    tokens_used_prompt_tokens as sent_input, tokens_used_completion_tokens as sent_output,
    tokens_used_cache_read as sent_read, tokens_used_cache_write as sent_write,
    usd(cost) as reported_cost_usd,
    lower(error_type) as error_type,
    message_class(error_message) as error_message_class,
    row_signals.signal_hash,
    hash(conversation_id, interaction_id) as run_hash,
    hash(conversation_id, interaction_id, agent_session_id) as session_hash
from accepted('sent_ends', 6) as ends
left join row_signals on ends.row_number = row_signals.row_number and row_signals.source = 6
where agent_session_id is not null;

create temp table responses as
select
    responses.row_number, responses.event_id, event_at, received_at, has_clock_skew,
    conversation_id, interaction_id, parent_interaction_id,
    user_id, anonymous_id, context_source_id as source_id, workflow_name, environment,
    agent_name, lower(trim(model_used)) as model_name,
    coalesce(status_of(response_status), 'unknown') as session_status,
    lower(trim(response_status)) as sent_status,
    duration_ms,
    steps_count as reported_steps_count,
    length(response_text) as response_length,
    tokens_used_prompt_tokens as sent_input, tokens_used_completion_tokens as sent_output,
    tokens_used_cache_read as sent_read, tokens_used_cache_write as sent_write,
    usd(cost) as reported_cost_usd,
    row_signals.signal_hash,
    hash(conversation_id, interaction_id) as run_hash,
    hash(hash(conversation_id, interaction_id), coalesce(lower(agent_name), '')) as agent_hash
from accepted('sent_responses', 2) as responses
left join row_signals on responses.row_number = row_signals.row_number and row_signals.source = 2;

create temp table observed as
select
    hash(conversation_id, interaction_id, agent_session_id) as session_hash,
    any_value(conversation_id) as conversation_id,
    any_value(interaction_id) as interaction_id,
    any_value(agent_session_id) as agent_session_id,
    min(parent_interaction_id) as parent_interaction_id,
    min(user_id) as user_id,
    min(anonymous_id) as anonymous_id,
    min(context_source_id) as source_id,
    min(workflow_name) as workflow_name,
    min(environment) as environment,
    min(lower(trigger_type)) as trigger_type,
    min(lower(execution_mode)) as execution_mode,
    min(agent_name) as agent_name,
    case
        when min(lower(trim(model_name))) = max(lower(trim(model_name))) then min(lower(trim(model_name)))
    end as model_name,
    count(step_index) = count(*) as has_step_index,
    min(coalesce(minus_ms(event_at, sane_ms(duration_ms)), event_at)) as first_step_started_at,
    min(event_at) as first_event_at,
    max(event_at) as last_event_at,
    bool_or(has_clock_skew) as has_clock_skew
from accepted('sent_steps', 7)
where agent_session_id is not null
group by session_hash;

create temp table superseded_starts as
select row_number from starts
where session_hash in (select session_hash from starts group by all having count(*) > 1)
qualify row_number() over (partition by session_hash order by event_at, received_at, event_id) > 1;

create temp table conflicting_ends as
select
    session_hash,
    row_number,
    row_number() over (partition by session_hash order by event_at desc, received_at desc, event_id desc) as rank
from ends
where session_hash in (select session_hash from ends group by all having count(*) > 1);

create temp table reported as
select
    coalesce(e.session_hash, s.session_hash, o.session_hash) as session_hash,
    coalesce(e.run_hash, s.run_hash, hash(o.conversation_id, o.interaction_id)) as run_hash,
    coalesce(e.conversation_id, s.conversation_id, o.conversation_id) as conversation_id,
    coalesce(e.interaction_id, s.interaction_id, o.interaction_id) as interaction_id,
    coalesce(e.agent_session_id, s.agent_session_id, o.agent_session_id) as agent_session_id,
    coalesce(e.parent_agent_session_id, s.parent_agent_session_id) as parent_agent_session_id,
    coalesce(e.agent_name, s.agent_name, o.agent_name) as agent_name,
    lower(trim(coalesce(e.model_name, s.model_name, o.model_name))) as model_name,
    s.event_id is not null as has_started_event,
    e.event_id is not null as has_completed_event,
    coalesce(o.has_step_index, false) as has_step_index,
    e.event_id as completed_event_id,
    e.session_status, e.sent_status, e.duration_ms, e.reported_steps_count, e.response_length,
    coalesce(s.has_clock_skew, false) or coalesce(e.has_clock_skew, false)
    or coalesce(o.has_clock_skew, false) as has_clock_skew,
    e.sent_input, e.sent_output, e.sent_read, e.sent_write, e.reported_cost_usd,
    e.error_type, e.error_message_class, e.signal_hash,
    s.event_at as started_event_at,
    e.event_at as completed_event_at,
    o.first_step_started_at,
    -- greatest() passes over nulls
    greatest(e.event_at, s.event_at, o.last_event_at) as last_event_at
from (select * from ends where row_number not in (select row_number from conflicting_ends where rank > 1)) as e
full join (select * from starts where row_number not in (from superseded_starts)) as s
    on e.session_hash = s.session_hash
full join observed as o on coalesce(e.session_hash, s.session_hash) = o.session_hash;

-- Responses and sessions of one agent in one run: most have one of each and need no order.
create temp table slots as
select
    session_hash,
    run_hash,
    hash(run_hash, coalesce(lower(agent_name), '')) as agent_hash,
    agent_session_id,
    agent_name is null as is_nameless,
    has_completed_event,
    coalesce(completed_event_at, last_event_at) as ended_at
from reported;

create temp table matches as
with response_groups as (
    select agent_hash, count(*) as response_count, any_value(row_number) as row_number
    from responses
    group by agent_hash
),

slot_groups as (
    select agent_hash, count(*) as slot_count, any_value(session_hash) as session_hash
    from slots
    group by agent_hash
),

groups as (
    select *
    from response_groups
    inner join slot_groups using (agent_hash)
),

several as (
    select agent_hash, response_count, slot_count
    from groups
    where response_count > 1 or slot_count > 1
),

numbered_responses as (
    select
        responses.row_number,
        agent_hash,
        row_number() over (partition by agent_hash order by event_at, received_at, event_id) as row_order
    from responses
    where agent_hash in (select agent_hash from several)
),

numbered_slots as (
    select
        slots.session_hash,
        agent_hash,
        row_number() over (
            partition by agent_hash
            order by
                several.response_count < several.slot_count and not slots.has_completed_event,
                slots.ended_at,
                slots.agent_session_id
        ) as row_order
    from slots
    inner join several using (agent_hash)
)

select row_number, session_hash, 'agent_and_order' as match_method
from groups
where response_count = 1 and slot_count = 1
union all
select numbered_responses.row_number, numbered_slots.session_hash, 'agent_and_order'
from numbered_responses
inner join numbered_slots using (agent_hash, row_order);

insert into matches
with left_over as (
    select
        row_number,
        run_hash,
        row_number() over (partition by run_hash order by event_at, received_at, event_id) as row_order
    from responses
    where row_number not in (select row_number from matches)
),

free as (
    select *
    from slots
    where run_hash in (select run_hash from left_over) and session_hash not in (select session_hash from matches)
),

-- as many on both sides: all are matched, else sessions without a name
even as (
    select run_hash
    from (select run_hash, count(*) as n from left_over group by run_hash)
    inner join (select run_hash, count(*) as n from free group by run_hash) using (run_hash, n)
),

takers as (
    select
        session_hash,
        run_hash,
        row_number() over (partition by run_hash order by ended_at, agent_session_id) as row_order
    from free
    where is_nameless or run_hash in (from even)
)

select left_over.row_number, takers.session_hash, 'order'
from left_over
inner join takers using (run_hash, row_order);

create temp table sessions as
with joined as (
    select
        coalesce(
            t.session_hash, hash(r.conversation_id, r.interaction_id, 'response:' || r.event_id)
        ) as session_hash,
        coalesce(t.run_hash, r.run_hash) as run_hash,
        coalesce(t.conversation_id, r.conversation_id) as conversation_id,
        coalesce(t.interaction_id, r.interaction_id) as interaction_id,
        t.agent_session_id,
        'response:' || r.event_id as response_name,
        t.parent_agent_session_id,
        coalesce(t.agent_name, r.agent_name) as agent_name,
        coalesce(t.model_name, r.model_name) as model_name,
        case
            when t.has_started_event or t.has_completed_event then 'session_events'
            when r.event_id is not null then 'response'
            else 'inferred'
        end as session_source,
        coalesce(t.has_started_event, false) as has_started_event,
        coalesce(t.has_completed_event, false) as has_completed_event,
        coalesce(t.has_step_index, false) as has_step_index,
        r.match_method,
        coalesce(t.completed_event_id, r.event_id) as outcome_event_id,
        case
            when t.has_completed_event then coalesce(t.session_status, 'unknown')
            when r.event_id is not null then r.session_status
        end as session_status,
        case when t.has_completed_event then t.sent_status else r.sent_status end as sent_status,
        coalesce(t.has_clock_skew, false) or coalesce(r.has_clock_skew, false) as is_time_skewed,
        coalesce(t.duration_ms, r.duration_ms) as reported_duration_ms,
        coalesce(t.reported_steps_count, r.reported_steps_count) as reported_steps_count,
        coalesce(t.response_length, r.response_length) as response_length,
        sane_tokens(coalesce(t.sent_input, r.sent_input)) as sent_input,
        sane_tokens(coalesce(t.sent_output, r.sent_output)) as sent_output,
        sane_tokens(coalesce(t.sent_read, r.sent_read)) as sent_read,
        sane_tokens(coalesce(t.sent_write, r.sent_write)) as sent_write,
        coalesce(t.reported_cost_usd, r.reported_cost_usd) as reported_cost_usd,
        t.error_type,
        t.error_message_class,
        coalesce(t.signal_hash, r.signal_hash) as signal_hash,
        t.started_event_at,
        t.first_step_started_at,
        coalesce(t.completed_event_at, r.event_at) as completed_event_at,
        coalesce(t.last_event_at, r.event_at) as last_event_at
    from reported as t
    full join (
        select responses.*, matches.match_method, matches.session_hash
        from responses
        left join matches on responses.row_number = matches.row_number
    ) as r
        on t.session_hash = r.session_hash
),

timed as (
    select
        *,
        cast(md5(md5(conversation_id) || interaction_id) as uuid) as run_key,
        coalesce(completed_event_at, last_event_at) as ended_at,
        coalesce(started_event_at > completed_event_at, false) as starts_late,
        case when not starts_late then started_event_at end as believed_start_at,
        least(
            coalesce(
                believed_start_at,
                minus_ms(completed_event_at, sane_ms(reported_duration_ms)),
                first_step_started_at,
                completed_event_at,
                last_event_at
            ),
            coalesce(completed_event_at, last_event_at)
        ) as started_at
    from joined
)

select
    *,
    cast(md5(md5(md5(conversation_id) || interaction_id) || coalesce(agent_session_id, response_name)) as uuid) as session_key,
    case
        when reported_duration_ms is not null then reported_duration_ms
        when believed_start_at is null and first_step_started_at is null then null
        when completed_event_at is null and last_event_at = started_event_at then null
        else ms_between(started_at, ended_at)
    end as duration_ms,
    is_time_skewed or starts_late as has_clock_skew
from timed;

drop table reported;
drop table slots;

-- Steps -----------------------------------------------------------------------------------------

create temp table step_positions as
with sortable as (
    select
        steps.row_number,
        hash(steps.conversation_id, steps.interaction_id, steps.agent_session_id) as session_hash,
        steps.event_at as ended_at,
        steps.has_clock_skew,
        minus_ms(steps.event_at, sane_ms(steps.duration_ms)) as started_at,
        steps.original_timestamp,
        steps.received_at,
        steps.uuid_ts,
        steps.event_id,
        lower(steps.step_type) as step_type,
        steps.attempt_number,
        status_of(steps.status) in ('error', 'timeout') as is_failed,
        coalesce(steps.tool_name, lower(trim(steps.model_name)), sessions.model_name, '') as target,
        case when sessions.has_step_index then steps.step_index end as step_index
    from accepted('sent_steps', 7) as steps
    left join sessions
        on hash(steps.conversation_id, steps.interaction_id, steps.agent_session_id) = sessions.session_hash
    where steps.agent_session_id is not null
),

ordered as (
    select
        *,
        row_number() over in_session as row_order,
        lag(is_failed) over in_session as was_failed,
        lag(step_type) over in_session as previous_type,
        lag(target) over in_session as previous_target,
        lag(ended_at) over in_session as previous_ended_at,
        min(attempt_number) over (partition by session_hash) = 0 as is_counted_from_zero
    from sortable
    window in_session as (
        partition by session_hash order by step_index, ended_at, original_timestamp, received_at, uuid_ts, event_id
    )
)

select
    row_number,
    session_hash,
    ended_at,
    has_clock_skew,
    row_order,
    step_type,
    target,
    coalesce(step_index, row_order) as step_number,
    attempt_number + case when is_counted_from_zero then 1 else 0 end as sent_attempt,
    -- what had started before the failure was known ran beside it
    was_failed and previous_type = step_type and coalesce(started_at >= previous_ended_at, true) as follows_failure,
    coalesce(attempt_number is null and follows_failure and previous_target = target, false) as is_repetition,
    coalesce(follows_failure and previous_target != target and previous_target != '' and target != '', false) as is_fallback
from ordered;

create temp table repetitions as
select
    row_number,
    session_hash,
    row_order,
    coalesce(first_order, 1) as first_order
from (
    select
        row_number,
        session_hash,
        row_order,
        is_repetition,
        max(case when not is_repetition then row_order end) over (
            partition by session_hash order by row_order rows between unbounded preceding and current row
        ) as first_order
    from step_positions
    where session_hash in (select session_hash from step_positions where is_repetition)
)
where is_repetition;

-- Attempts with numbers are dealt out one after the other: each goes to the operation of its tool or model that
-- was last dealt the number before.
create temp table dealt as
select
    session_hash,
    unnest(state.done) as attempt
from (
    select
        session_hash,
        list_reduce(
            attempts,
            lambda state, next: struct_pack(
                open := list_append(
                    list_filter(
                        state.open,
                        lambda o: o.latest is distinct from list_filter(state.open, lambda q: q.n = next.n - 1)[-1].latest
                    ),
                    struct_pack(
                        first := coalesce(list_filter(state.open, lambda q: q.n = next.n - 1)[-1].first, next.place),
                        latest := next.place,
                        n := next.n
                    )
                ),
                done := list_append(
                    state.done,
                    struct_pack(
                        place := next.place,
                        first := coalesce(list_filter(state.open, lambda q: q.n = next.n - 1)[-1].first, next.place),
                        previous := list_filter(state.open, lambda q: q.n = next.n - 1)[-1].latest
                    )
                )
            ),
            struct_pack(
                open := cast([] as struct(first bigint, latest bigint, n bigint)[]),
                done := cast([] as struct(place bigint, first bigint, previous bigint)[])
            )
        ) as state
    from (
        select
            session_hash,
            list(
                struct_pack(place := row_order, n := cast(sent_attempt as bigint)) order by row_order
            ) as attempts
        from step_positions
        where sent_attempt is not null
        group by session_hash, step_type, target
        having max(sent_attempt) > 1
    )
);

create temp table retries as
select
    steps.row_number,
    coalesce(dealt.attempt.first, repetitions.first_order, steps.row_order) as operation_order,
    coalesce(
        steps.sent_attempt,
        coalesce(firsts.sent_attempt, 1) + steps.row_order - coalesce(repetitions.first_order, steps.row_order)
    ) as attempt_number,
    steps.is_repetition or coalesce(steps.sent_attempt > 1, false) as is_retry,
    followers.session_hash is not null as is_retried
from step_positions as steps
left join repetitions on steps.row_number = repetitions.row_number
left join step_positions as firsts
    on repetitions.session_hash = firsts.session_hash and repetitions.first_order = firsts.row_order
left join dealt
    on steps.session_hash = dealt.session_hash
    and coalesce(repetitions.first_order, steps.row_order) = dealt.attempt.place
left join (
    select session_hash, row_order - 1 as row_order
    from repetitions
    union
    select session_hash, attempt.previous
    from dealt
    where attempt.previous is not null
) as followers
    on steps.session_hash = followers.session_hash and steps.row_order = followers.row_order
where
    steps.session_hash in (select session_hash from step_positions where is_repetition or sent_attempt is not null);

-- One row per model name and day in use, so that pricing is one join on equality.
create temp table daily_prices as
select
    models.model_name,
    days.price_date,
    models.canonical_model,
    coalesce(models.read_included, false) as read_included,
    coalesce(models.write_included, false) as write_included,
    then_valid.rate,
    then_valid.long_rate,
    then_valid.long_from,
    newest.rate as newest_rate,
    newest.long_rate as newest_long_rate,
    newest.long_from as newest_long_from,
    coalesce(then_valid.is_newest, false) as is_newest,
    coalesce(days.price_date < then_valid.known_from, false) as is_extrapolated
from models
cross join (
    select distinct cast(ended_at as date) as price_date from step_positions
    union
    select cast(ended_at as date) from sessions
) as days
left join prices as then_valid
    on
        models.canonical_model = then_valid.canonical_model
        and days.price_date >= then_valid.valid_from
        and days.price_date < then_valid.valid_to
left join prices as newest on models.canonical_model = newest.canonical_model and newest.is_newest;

create table fct_agent_steps as
with joined as (
    select
        sent.*,
        numbered.session_hash, numbered.ended_at, numbered.step_number, numbered.row_order,
        coalesce(retries.is_retry, false) as is_retry, coalesce(retries.is_retried, false) as is_retried,
        coalesce(retries.attempt_number, 1) as attempt_in_operation,
        numbered.is_fallback, numbered.has_clock_skew as is_time_skewed, retries.operation_order,
        sessions.session_key, sessions.run_key,
        sessions.conversation_id as resolved_conversation_id,
        sessions.interaction_id as resolved_interaction_id,
        coalesce(sent.agent_name, sessions.agent_name) as step_agent_name,
        coalesce(lower(trim(sent.model_name)), sessions.model_name) as step_model_name,
        coalesce(status_of(sent.status), 'unknown') as step_status,
        sane_tokens(sent.prompt_tokens) as sane_prompt,
        sane_tokens(sent.completion_tokens) as sane_output,
        sane_tokens(sent.cache_read) as sane_read,
        sane_tokens(sent.cache_write) as sane_write,
        usd(sent.cost) as reported_cost_usd,
        text_rule_first(step_rules.text_rule, step_rules.signal_rule, 'failure_mode') as failure_mode,
        text_rule_first(step_rules.text_rule, step_rules.signal_rule, 'failure_category') as failure_category,
        text_rule_first(step_rules.text_rule, step_rules.signal_rule, 'failure_group') as failure_group,
        text_rule_first(step_rules.text_rule, step_rules.signal_rule, 'severity') as failure_rule_severity,
        text_rule_first(step_rules.text_rule, step_rules.signal_rule, 'rule_id') as failure_rule_id,
        text_rule_first(step_rules.text_rule, step_rules.signal_rule, 'is_billed') as failure_is_billed,
        case
            when
                coalesce(
                    tool_input_channel, tool_input_chart_type, tool_input_command, tool_input_customer_id,
                    tool_input_order_id, tool_input_path, tool_input_query, tool_input_sql,
                    tool_input_subject, tool_input_table_name, tool_input_url
                ) is not null
                or tool_input_limit is not null
                then concat_ws(
                    chr(10),
                    'channel=' || tool_input_channel,
                    'chart_type=' || tool_input_chart_type,
                    'command=' || tool_input_command,
                    'customer_id=' || tool_input_customer_id,
                    'limit=' || tool_input_limit,
                    'order_id=' || tool_input_order_id,
                    'path=' || tool_input_path,
                    'query=' || tool_input_query,
                    'sql=' || tool_input_sql,
                    'subject=' || tool_input_subject,
                    'table_name=' || tool_input_table_name,
                    'url=' || tool_input_url
                )
        end as tool_input,
        case
            when coalesce(tool_output_content, tool_output_record, tool_output_result, tool_output_rows) is not null
                then concat_ws(
                    chr(10),
                    'content=' || tool_output_content,
                    'record=' || tool_output_record,
                    'result=' || tool_output_result,
                    'rows=' || tool_output_rows
                )
        end as tool_output
    from sent_steps as sent
    inner join step_positions as numbered on sent.row_number = numbered.row_number
    inner join sessions on numbered.session_hash = sessions.session_hash
    left join retries on sent.row_number = retries.row_number
    left join step_rules on sent.event_id = step_rules.event_id
),

classed as (
    select
        joined.*,
        daily_prices.canonical_model,
        daily_prices.rate, daily_prices.long_rate, daily_prices.long_from, daily_prices.is_newest,
        daily_prices.newest_rate, daily_prices.newest_long_rate, daily_prices.newest_long_from,
        daily_prices.is_extrapolated,
        uncached(
            sane_prompt, sane_read, sane_write, daily_prices.read_included, daily_prices.write_included
        ) as input_tokens
    from joined
    left join daily_prices
        on
            joined.step_model_name = daily_prices.model_name
            and cast(joined.ended_at as date) = daily_prices.price_date
),

summed as (
    select
        *,
        sum_of_classes(input_tokens, sane_output, sane_read, sane_write) as all_tokens,
        coalesce(input_tokens, 0) + coalesce(sane_read, 0) + coalesce(sane_write, 0) as context_tokens
    from classed
),

listed as (
    select
        *,
        not coalesce(failure_is_billed, true) and coalesce(sane_output, 0) = 0 as is_refused,
        input_tokens is not null
        and (sane_output is not null or coalesce(rate is not null and rate.output is null, false)) as has_all_tokens,
        coalesce(rate.input = 0 and coalesce(rate.output, 0) = 0, false) as is_free,
        case
            when all_tokens > 0
                then list_price(
                    input_tokens, sane_output, sane_read, sane_write,
                    case when context_tokens > long_from then long_rate else rate end
                )
        end as floor_usd
    from summed
),

priced as (
    select
        *,
        case when has_all_tokens and not is_refused then floor_usd end as list_cost_usd,
        believable(
            reported_cost_usd,
            is_free
            or (
                coalesce(all_tokens, 0) = 0
                and not coalesce(
                    lower(step_type) = 'llm_call' and step_status not in ('error', 'timeout') and duration_ms >= 1000,
                    false
                )
            )
        ) as believable_usd,
        coalesce(believable_usd, list_cost_usd) as cost_usd,
        class_costs(
            input_tokens, sane_output, sane_read, sane_write,
            case when context_tokens > long_from then long_rate else rate end, list_cost_usd
        ) as classes,
        sha256(getvariable('hash_salt') || tool_input) as tool_input_hash,
        case
            when not has_all_tokens or is_refused then null
            when is_newest then list_cost_usd
            when all_tokens > 0
                then list_price(
                    input_tokens, sane_output, sane_read, sane_write,
                    case when context_tokens > newest_long_from then newest_long_rate else newest_rate end
                )
        end as list_cost_today_usd
    from listed
)

select
    cast(md5('ai_agent_step_completed|' || event_id) as uuid) as step_key,
    event_id as step_id,
    session_key as agent_session_key,
    run_key,
    resolved_conversation_id as conversation_id,
    resolved_interaction_id as interaction_id,
    agent_session_id,
    cast(md5(lower(hex(cast(session_key as blob))) || cast(
        coalesce(operation_order, row_order) as varchar
    )) as uuid) as operation_key,
    step_agent_name as agent_name,
    step_number,
    lower(step_type) as step_type,
    step_status,
    lower(trim(status)) as sent_status,
    case when step_status != 'unknown' then step_status = 'success' end as is_successful,
    step_status in ('error', 'timeout') as is_failed,
    step_model_name as model_name,
    canonical_model,
    tool_name,
    cast(null as varchar) as service_tier,
    attempt_in_operation as attempt_number,
    is_retry,
    is_retried,
    is_fallback,
    coalesce(
        step_status = 'success' and lower(step_type) = 'tool_call'
        and (
            coalesce(lower(left(tool_output, 6)) in ('error:', 'error '), false)
            or coalesce(trim(tool_output) in ('[]', '{}', 'null'), false)
        ),
        false
    ) as is_silent_failure,
    cast(0 as bigint) as merged_event_count,
    lower(error_type) as error_type,
    message_class(error_message) as error_message_class,
    cast(http_status as varchar) as http_status,
    cast(null as varchar) as finish_reason,
    failure_mode,
    failure_category,
    failure_group,
    failure_rule_severity,
    failure_rule_id,
    failure_is_billed,
    minus_ms(ended_at, sane_ms(duration_ms)) as started_at,
    ended_at,
    cast(ended_at as date) as step_date,
    duration_ms,
    is_suspect_ms(duration_ms) as has_suspect_duration,
    is_time_skewed as has_clock_skew,
    input_tokens,
    sane_output as output_tokens,
    sane_read as cache_read_tokens,
    sane_write as cache_write_tokens,
    all_tokens as total_tokens,
    cost_usd,
    coalesce(believable_usd, case when not is_refused then floor_usd end) as known_cost_usd,
    case
        when believable_usd is not null then 'reported'
        when list_cost_usd is not null then 'list_price'
        else 'none'
    end as cost_basis,
    case
        when believable_usd is not null then 'reported'
        when list_cost_usd is not null then 'priced'
        when is_refused then 'no_usage'
        when all_tokens > 0 then case when has_all_tokens then 'unpriced' else 'partial' end
        else 'no_usage'
    end as price_status,
    believable_usd is null and list_cost_usd is not null and is_extrapolated as is_price_extrapolated,
    cost_usd is null
    and not is_refused
    and (coalesce(lower(step_type) = 'llm_call', false) or coalesce(all_tokens, 0) > 0) as has_unknown_cost,
    reported_cost_usd,
    list_cost_usd,
    list_cost_today_usd,
    classes[1] as input_cost_usd,
    classes[2] as output_cost_usd,
    classes[3] as cache_read_cost_usd,
    classes[4] as cache_write_cost_usd,
    case
        when tool_rates.usd_per_second = 0 then money(tool_rates.usd_per_call)
        else money(tool_rates.usd_per_call + tool_rates.usd_per_second * sane_ms(duration_ms) / 1000.0)
    end as tool_cost_usd,
    length(response_text) as response_length,
    tool_input_hash,
    length(tool_input) as tool_input_length,
    length(tool_output) as tool_output_length,
    case
        when tool_input_hash is not null
            then cast(md5(concat(
                tool_input_hash, '  ', step_agent_name, '  ', lower(step_type), '  ',
                coalesce(tool_name, step_model_name)
            )) as uuid)
    end as signature_hash
from priced
left join tool_rates
    on
        case when lower(step_type) = 'tool_call' then tool_name end = tool_rates.rated_tool
        and cast(ended_at as date) >= tool_rates.valid_from
        and cast(ended_at as date) < tool_rates.valid_to;

drop table step_positions;

create temp table step_totals as
select
    agent_session_key as session_key,
    count(*) as step_count,
    count(*) filter (step_type = 'llm_call') as llm_call_count,
    count(*) filter (step_type = 'tool_call') as tool_call_count,
    count(*) filter (is_failed) as failed_step_count,
    count(*) filter (is_retry) as retried_step_count,
    count(*) filter (is_fallback) as fallback_step_count,
    count(*) filter (is_silent_failure) as silent_failure_count,
    cast(sum(case when step_type = 'llm_call' then sane_ms(duration_ms) end) as bigint) as llm_ms,
    cast(sum(case when step_type = 'tool_call' then sane_ms(duration_ms) end) as bigint) as tool_ms,
    cast(sum(input_tokens) as bigint) as input_tokens,
    cast(sum(output_tokens) as bigint) as output_tokens,
    cast(sum(cache_read_tokens) as bigint) as cache_read_tokens,
    cast(sum(cache_write_tokens) as bigint) as cache_write_tokens,
    cast(sum(total_tokens) as bigint) as total_tokens,
    sum(cost_usd) as cost_usd,
    sum(known_cost_usd) as known_cost_usd,
    sum(list_cost_usd) as list_cost_usd,
    sum(list_cost_today_usd) as list_cost_today_usd,
    [
        cast(sum(input_cost_usd) as decimal(28, 9)),
        cast(sum(output_cost_usd) as decimal(28, 9)),
        cast(sum(cache_read_cost_usd) as decimal(28, 9)),
        cast(sum(cache_write_cost_usd) as decimal(28, 9))
    ] as classes,
    cast(sum(tool_cost_usd) as decimal(28, 9)) as tool_cost_usd,
    case
        when count(signature_hash) > 0
            then
                count(signature_hash) filter (not is_retry)
                - count(distinct signature_hash) filter (not is_retry)
    end as redundant_count,
    count(*) filter (price_status = 'unpriced') as unpriced_count,
    count(*) filter (has_unknown_cost) as unknown_count,
    count(*) filter (is_price_extrapolated) as extrapolated_count,
    count(*) filter (list_cost_usd is null and total_tokens > 0) as unlisted_count,
    count(*) filter (list_cost_today_usd is null and total_tokens > 0) as unlisted_today_count,
    count(*) filter (cost_basis = 'list_price') as listed_count,
    count(*) filter (is_wasted) as wasted_count,
    -- one unknown cost makes the sum unknown
    case
        when count(*) filter (is_wasted and cost_usd is null) = 0
            then sum(case when is_wasted then cost_usd end)
    end as wasted_cost_usd
from (
    select
        *,
        (is_failed or is_retried) and (cost_usd is not null or has_unknown_cost) as is_wasted
    from fct_agent_steps
)
group by agent_session_key;

-- Tree of sessions ------------------------------------------------------------------------------

create temp table parents as
select
    children.session_hash,
    parents.session_hash as parent_hash
from (
    select
        session_hash,
        hash(conversation_id, interaction_id, parent_agent_session_id) as sent_parent_hash
    from sessions
    where parent_agent_session_id is not null and agent_session_id is not null
) as children
inner join sessions as parents on children.sent_parent_hash = parents.session_hash
where children.session_hash != parents.session_hash;

create temp table ancestors as
with recursive climb as (
    select session_hash, parent_hash as ancestor_hash, 1 as distance from parents
    union all
    select climb.session_hash, parents.parent_hash, climb.distance + 1
    from climb
    inner join parents on climb.ancestor_hash = parents.session_hash
    where parents.parent_hash != climb.session_hash and climb.distance < 100
)

select session_hash, ancestor_hash, min(distance) as distance
from climb
group by session_hash, ancestor_hash;

create temp table tree as
select
    session_hash,
    max(distance) as depth,
    arg_max(ancestor_hash, distance) as root_hash,
    arg_min(ancestor_hash, distance) as parent_hash
from ancestors
group by session_hash;

create temp table cyclic as
select distinct upward.session_hash
from ancestors as upward
inner join ancestors as downward
    on upward.session_hash = downward.ancestor_hash and upward.ancestor_hash = downward.session_hash;

-- Go back through the ends of each set of siblings, from the last one to the first.
create temp table off_chain as
with siblings as (
    select
        coalesce(tree.parent_hash, sessions.run_hash) as sibling_group,
        sessions.session_hash,
        sessions.started_at,
        sessions.ended_at,
        sessions.session_key
    from sessions
    left join tree on sessions.session_hash = tree.session_hash
),

ended as (
    select
        sibling_group,
        session_hash,
        started_at,
        ended_at,
        row_number() over by_end as row_order,
        lag(ended_at) over by_end > started_at
        or (lag(ended_at) over by_end = started_at and started_at = ended_at) as is_overlapping
    from siblings
    window by_end as (partition by sibling_group order by ended_at, started_at, session_key)
),

lists as (
    select
        sibling_group,
        list(
            struct_pack(hash := session_hash, s := started_at, e := ended_at, on_path := true)
            order by row_order desc
        ) as ends
    from ended
    where sibling_group in (select sibling_group from ended where is_overlapping)
    group by sibling_group
),

followed as (
    select
        list_reduce(
            ends[2:],
            (state, next) -> case
                when next.e < state.s or (next.e = state.s and not state.is_instant)
                    then struct_pack(s := next.s, is_instant := next.s = next.e, off := state.off)
                else struct_pack(s := state.s, is_instant := state.is_instant, off := list_append(state.off, next.hash))
            end,
            struct_pack(
                s := ends[1].s, is_instant := ends[1].s = ends[1].e, off := cast([] as ubigint[])
            )
        ) as state
    from lists
)

select unnest(state.off) as session_hash
from followed;

insert into off_chain
select distinct ancestors.session_hash
from ancestors
where ancestors.ancestor_hash in (select session_hash from off_chain);

-- Runs, first part ------------------------------------------------------------------------------

create temp table prompts as
select
    event_id, event_at, received_at, has_clock_skew, conversation_id, interaction_id, parent_interaction_id,
    user_id, anonymous_id, context_source_id as source_id, workflow_name, environment,
    lower(input_method) as input_method,
    sha256(getvariable('hash_salt') || prompt_text) as prompt_hash,
    length(prompt_text) as prompt_length,
    hash(conversation_id, interaction_id) as run_hash
from accepted('sent_prompts', 1);

create temp table completions as
select
    completions.event_id, event_at, received_at, has_clock_skew, conversation_id, interaction_id,
    parent_interaction_id, user_id, anonymous_id, context_source_id as source_id, workflow_name, environment,
    lower(trigger_type) as trigger_type, lower(execution_mode) as execution_mode,
    status_of(status) as run_status,
    lower(trim(status)) as sent_status,
    duration_ms,
    agents_count as reported_agents_count,
    steps_count as reported_steps_count,
    length(final_response_text) as response_length,
    sane_tokens(tokens_used_prompt_tokens) as sent_input,
    sane_tokens(tokens_used_completion_tokens) as sent_output,
    sane_tokens(tokens_used_cache_read) as sent_read,
    sane_tokens(tokens_used_cache_write) as sent_write,
    usd(total_cost) as reported_cost_usd,
    row_signals.signal_hash,
    hash(conversation_id, interaction_id) as run_hash
from accepted('sent_completions', 3) as completions
left join row_signals on completions.row_number = row_signals.row_number and row_signals.source = 3;

create temp table actions as
select
    sent.event_id,
    event_at, has_clock_skew, conversation_id, interaction_id, parent_interaction_id,
    user_id, anonymous_id, context_source_id as source_id, workflow_name, environment,
    case lower(action_type) when 'copied_response' then 'copied' else lower(action_type) end as action_type,
    lower(action_details_feedback_type) as feedback_type,
    lower(trim(action_details_feedback_value)) as feedback_value,
    received_at,
    length(action_details_feedback_text) as feedback_text_length,
    hash(conversation_id, interaction_id) as run_hash
from accepted('sent_actions', 4) as sent;

create table fct_user_actions as
with rated as (
    select
        actions.*,
        ranges.feedback_type is not null as is_known,
        try_cast(actions.feedback_value as double) as sent_number,
        coalesce(
            labels.rating,
            case
                when
                    sent_number between least(ranges.worst_value, ranges.best_value)
                    and greatest(ranges.worst_value, ranges.best_value)
                    then (sent_number - ranges.worst_value) / nullif(ranges.best_value - ranges.worst_value, 0)
                when is_known and actions.feedback_value in ('true', 'false')
                    then cast(actions.feedback_value = 'true' as integer)
            end
        ) as user_rating
    from actions
    left join scales as ranges on actions.feedback_type = ranges.feedback_type and ranges.value_label is null
    left join scales as labels
        on actions.feedback_type = labels.feedback_type and actions.feedback_value = labels.value_label
)

select
    cast(md5('ai_user_action|' || event_id) as uuid) as action_key,
    event_id as action_id,
    cast(md5(md5(conversation_id) || interaction_id) as uuid) as run_key,
    conversation_id,
    interaction_id,
    user_id,
    anonymous_id,
    action_type,
    feedback_type,
    feedback_value,
    case
        when feedback_type is null and feedback_value is null then null
        when user_rating is not null then 'rated'
        when not is_known then 'unknown_type'
        when feedback_value is null then 'no_value'
        else 'unknown_value'
    end as feedback_status,
    user_rating as rating,
    -- nobody takes anything back in generated events
    user_rating is not null
    and event_id = last_value(case when user_rating is not null then event_id end ignore nulls) over (
        partition by run_hash, coalesce(user_id, anonymous_id, ''), feedback_type
        order by event_at, received_at, event_id
        rows between unbounded preceding and unbounded following
    ) as is_latest_rating,
    feedback_text_length,
    event_at as acted_at,
    cast(event_at as date) as action_date,
    has_clock_skew
from rated;

create temp table action_totals as
select
    run_key,
    avg(rating) filter (is_latest_rating) as rating,
    count(*) filter (is_latest_rating) as rating_count,
    count(*) filter (action_type = 'regenerated') as regenerated_count,
    count(*) filter (action_type = 'copied') as copied_count,
    count(*) filter (action_type = 'shared') as shared_count
from fct_user_actions
group by run_key;

create temp table run_minima as
with events as (
    select
        run_hash, conversation_id, interaction_id, parent_interaction_id, user_id, anonymous_id, source_id,
        workflow_name, environment, null as trigger_type, null as execution_mode,
        event_at as first_at, event_at as last_at, has_clock_skew, false as is_start, false as is_action
    from prompts
    union all
    select
        run_hash, conversation_id, interaction_id, parent_interaction_id, user_id, anonymous_id, source_id,
        workflow_name, environment, trigger_type, execution_mode, event_at, event_at, has_clock_skew, false, false
    from completions
    union all
    select
        run_hash, conversation_id, interaction_id, parent_interaction_id, user_id, anonymous_id, source_id,
        workflow_name, environment, trigger_type, execution_mode, event_at, event_at, has_clock_skew, true, false
    from starts
    union all
    select
        run_hash, conversation_id, interaction_id, parent_interaction_id, user_id, anonymous_id, source_id,
        workflow_name, environment, null, null, event_at, event_at, has_clock_skew, false, false
    from ends
    union all
    select
        run_hash, conversation_id, interaction_id, parent_interaction_id, user_id, anonymous_id, source_id,
        workflow_name, environment, null, null, event_at, event_at, has_clock_skew, false, false
    from responses
    union all
    select
        run_hash, conversation_id, interaction_id, parent_interaction_id, user_id, anonymous_id, source_id,
        workflow_name, environment, null, null, event_at, event_at, has_clock_skew, false, true
    from actions
    union all
    select
        hash(conversation_id, interaction_id), conversation_id, interaction_id, parent_interaction_id, user_id,
        anonymous_id, source_id, workflow_name, environment, trigger_type, execution_mode,
        first_event_at, last_event_at, has_clock_skew, false, false
    from observed
)

select
    run_hash,
    any_value(conversation_id) as conversation_id,
    any_value(interaction_id) as interaction_id,
    min(parent_interaction_id) as parent_interaction_id,
    min(user_id) as user_id,
    min(anonymous_id) as anonymous_id,
    min(source_id) as source_id,
    min(workflow_name) as workflow_name,
    min(environment) as environment,
    min(trigger_type) as trigger_type,
    min(execution_mode) as execution_mode,
    coalesce(min(first_at) filter (not is_action), min(first_at)) as first_event_at,
    max(last_at) filter (not is_action and not is_start) as last_event_at,
    max(last_at) as last_of_all_at,
    max(last_at) filter (not is_action) as last_told_at,
    bool_or(has_clock_skew) as has_clock_skew
from events
group by run_hash;

-- A time that was neither sent nor that of the arrival moves no clock.
create temp table newest_moments as
select max(least(event_at, utc(received_at))) as newest_at
from prompts
where not has_clock_skew or event_at = utc(received_at)
union all
select max(least(event_at, utc(received_at))) as newest_at
from completions
where not has_clock_skew or event_at = utc(received_at)
union all
select max(least(event_at, utc(received_at))) as newest_at
from starts
where not has_clock_skew or event_at = utc(received_at)
union all
select max(least(event_at, utc(received_at))) as newest_at
from ends
where not has_clock_skew or event_at = utc(received_at)
union all
select max(least(event_at, utc(received_at))) as newest_at
from responses
where not has_clock_skew or event_at = utc(received_at)
union all
select max(least(event_at, utc(received_at))) as newest_at
from actions
where not has_clock_skew or event_at = utc(received_at)
union all
select max(least(event_at, utc(received_at)))
from accepted('sent_steps', 7)
where agent_session_id is not null and (not has_clock_skew or event_at = utc(received_at));

drop table starts;
drop table ends;
drop table observed;
drop table responses;

create temp table runs as
with first_prompts as (
    select
        *,
        min(user_id) over (partition by run_hash) as person_user_id,
        min(anonymous_id) over (partition by run_hash) as person_anonymous_id
    from prompts
    qualify row_number() over (partition by run_hash order by event_at, received_at, event_id) = 1
),

last_completions as (
    select
        *,
        count(*) over (partition by run_hash) as completion_count,
        min(user_id) over (partition by run_hash) as person_user_id,
        min(anonymous_id) over (partition by run_hash) as person_anonymous_id
    from completions
    qualify row_number() over (
        partition by run_hash order by event_at desc, received_at desc, event_id desc
    ) = 1
),

first_starts as (
    select
        run_hash,
        min(started_at) as first_session_started_at,
        max(ended_at) as last_session_ended_at,
        bool_or(has_clock_skew) as is_session_skewed
    from sessions
    group by run_hash
),

data_end as (select max(newest_at) as newest_event_at from newest_moments),

joined as (
    select
        m.run_hash,
        cast(md5(md5(m.conversation_id) || m.interaction_id) as uuid) as run_key,
        m.conversation_id,
        m.interaction_id,
        m.parent_interaction_id,
        m.last_told_at,
        parents.run_hash as parent_run_hash,
        cast(md5(md5(parents.conversation_id) || parents.interaction_id) as uuid) as parent_run_key,
        coalesce(p.person_user_id, c.person_user_id, m.user_id) as user_id,
        coalesce(p.person_anonymous_id, c.person_anonymous_id, m.anonymous_id) as anonymous_id,
        m.source_id,
        m.workflow_name,
        m.environment,
        m.has_clock_skew or coalesce(first_starts.is_session_skewed, false) as has_clock_skew,
        case
            when m.trigger_type in ('schedule', 'scheduled', 'cron') then 'schedule'
            when m.trigger_type is not null then m.trigger_type
            when p.event_id is not null then 'user'
            when m.parent_interaction_id is not null then 'agent'
            else 'unknown'
        end as trigger_type,
        m.execution_mode as sent_execution_mode,
        p.event_id is not null as has_prompt,
        p.event_at as prompted_at,
        p.input_method,
        p.prompt_hash,
        p.prompt_length,
        c.event_id as completion_event_id,
        coalesce(c.completion_count, 0) > 1 as has_conflicting_completions,
        case
            when c.event_id is not null then coalesce(c.run_status, 'unknown')
            when coalesce(greatest(m.last_event_at, first_starts.last_session_ended_at), m.last_of_all_at) > minus_ms(data_end.newest_event_at, 3600000) then 'in_progress'
            else 'abandoned'
        end as run_status,
        c.sent_status,
        c.duration_ms as reported_duration_ms,
        c.reported_agents_count,
        c.reported_steps_count,
        c.response_length,
        c.sent_input, c.sent_output, c.sent_read, c.sent_write,
        c.reported_cost_usd,
        c.signal_hash,
        -- least() passes over nulls
        least(
            m.first_event_at,
            first_starts.first_session_started_at,
            minus_ms(c.event_at, sane_ms(c.duration_ms))
        ) as started_at,
        coalesce(greatest(m.last_event_at, first_starts.last_session_ended_at), m.last_of_all_at) as last_event_at,
        coalesce(c.event_at, coalesce(greatest(m.last_event_at, first_starts.last_session_ended_at), m.last_of_all_at)) as ended_at
    from (
        select
            *,
            -- no run is its own parent
            case
                when parent_interaction_id is not null
                    then nullif(hash(conversation_id, parent_interaction_id), run_hash)
            end as wanted_hash
        from run_minima
    ) as m
    left join first_prompts as p on m.run_hash = p.run_hash
    left join last_completions as c on m.run_hash = c.run_hash
    left join first_starts on m.run_hash = first_starts.run_hash
    left join run_minima as parents on m.wanted_hash = parents.run_hash
    cross join data_end
)

select
    *,
    coalesce(
        sent_execution_mode,
        case when trigger_type = 'user' then 'sync' when trigger_type != 'unknown' then 'async' end
    ) as execution_mode,
    coalesce(reported_duration_ms, ms_between(started_at, ended_at)) as duration_ms,
    case when reported_duration_ms is not null then 'reported' else 'derived' end as duration_source
from joined;

-- Sessions, second part -------------------------------------------------------------------------

create temp table priced_sessions as
with children as (
    select
        parents.parent_hash as session_hash,
        sum(s.reported_cost_usd) as children_usd
    from parents
    inner join sessions as s on parents.session_hash = s.session_hash
    where s.reported_cost_usd > 0
    group by parents.parent_hash
),

classed as (
    select
        sessions.session_hash,
        sessions.session_key,
        sessions.run_hash,
        sessions.ended_at,
        sessions.reported_steps_count,
        sessions.reported_cost_usd as sent_usd,
        c.children_usd,
        d.canonical_model,
        d.read_included as known_read_included,
        d.write_included as known_write_included,
        d.rate, d.newest_rate, d.is_extrapolated,
        coalesce(sent_input, sent_output, sent_read, sent_write) is not null
        and not (
            coalesce(sent_input, 0) + coalesce(sent_output, 0) + coalesce(sent_read, 0) + coalesce(sent_write, 0) = 0
            and coalesce(t.total_tokens, 0) > 0
        ) as has_own,
        case
            when has_own then uncached(sent_input, sent_read, sent_write, d.read_included, d.write_included)
            else t.input_tokens
        end as input_tokens,
        case when has_own then sent_output else t.output_tokens end as output_tokens,
        case when has_own then sent_read else t.cache_read_tokens end as cache_read_tokens,
        case when has_own then sent_write else t.cache_write_tokens end as cache_write_tokens,
        coalesce(t.step_count, 0) as step_count,
        coalesce(t.llm_call_count, 0) as llm_call_count,
        t.total_tokens as steps_total_tokens,
        t.cost_usd as steps_cost_usd,
        t.known_cost_usd as steps_known_usd,
        t.list_cost_usd as steps_list_usd,
        t.list_cost_today_usd as steps_list_today_usd,
        t.classes as steps_classes,
        coalesce(t.unpriced_count, 0) as unpriced_count,
        coalesce(t.unknown_count, 0) as unknown_count,
        coalesce(t.extrapolated_count, 0) as extrapolated_count,
        t.unlisted_count, t.unlisted_today_count, t.listed_count
    from sessions
    left join step_totals as t on sessions.session_key = t.session_key
    left join children as c on sessions.session_hash = c.session_hash
    left join daily_prices as d
        on sessions.model_name = d.model_name and cast(sessions.ended_at as date) = d.price_date
),

summed as (
    select
        *,
        sum_of_classes(input_tokens, output_tokens, cache_read_tokens, cache_write_tokens) as total_tokens,
        input_tokens is not null
        and (output_tokens is not null or coalesce(rate is not null and rate.output is null, false)) as has_all_tokens,
        coalesce(rate.input = 0 and coalesce(rate.output, 0) = 0, false) as is_free
    from classed
),

listed as (
    select
        *,
        case
            when has_own and total_tokens > 0
                then list_price(input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, rate)
        end as own_floor_usd,
        case
            when steps_total_tokens = total_tokens and unlisted_count = 0 then steps_list_usd
            when has_all_tokens then own_floor_usd
        end as list_cost_usd,
        case
            when steps_total_tokens = total_tokens and unlisted_count = 0 then steps_classes
            when has_all_tokens
                then class_costs(
                    input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, rate, own_floor_usd
                )
        end as classes,
        case
            when steps_total_tokens = total_tokens and unlisted_today_count = 0 then steps_list_today_usd
            when has_own and has_all_tokens and total_tokens > 0
                then list_price(input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, newest_rate)
        end as list_cost_today_usd,
        -- the sum of the children's reports is theirs, unless the session's own calls cost as much
        coalesce(sent_usd between children_usd * 0.995 and children_usd * 1.005, false)
        and not coalesce(sent_usd between own_floor_usd * 0.995 and own_floor_usd * 1.005, false)
        and not coalesce(sent_usd between steps_cost_usd * 0.995 and steps_cost_usd * 1.005, false)
            as cost_includes_children,
        believable(
            case when cost_includes_children then 0 else sent_usd end,
            cost_includes_children
            or is_free
            or (coalesce(total_tokens, 0) = 0 and llm_call_count = 0 and coalesce(steps_cost_usd, 0) = 0)
        ) as believable_usd,
        -- every call has a cost, and their tokens are all that the session speaks of
        case
            when
                unknown_count = 0
                and (
                    not has_own
                    or steps_total_tokens >= coalesce(total_tokens, 0)
                    or (steps_total_tokens is null and coalesce(reported_steps_count, 0) <= step_count)
                )
                then steps_cost_usd
        end as complete_usd,
        coalesce(greatest(steps_known_usd, own_floor_usd), steps_known_usd, own_floor_usd) as floor_usd
    from summed
)

select
    * exclude (sent_usd, children_usd, rate, newest_rate),
    coalesce(believable_usd, complete_usd, case when has_own then list_cost_usd end) as cost_usd,
    coalesce(cost_usd, floor_usd) as known_cost_usd,
    case
        when believable_usd is not null then 'reported'
        when complete_usd is not null then 'sum_of_steps'
        when cost_usd is not null then 'list_price'
        else 'none'
    end as cost_basis,
    case
        when cost_basis = 'reported' then 'reported'
        when cost_basis = 'sum_of_steps' and listed_count = 0 then 'reported'
        when cost_usd is not null then 'priced'
        when unpriced_count > 0 or (has_own and has_all_tokens and total_tokens > 0) then 'unpriced'
        when (has_own and total_tokens > 0) or floor_usd is not null then 'partial'
        when steps_total_tokens > 0 and unknown_count > 0 then 'partial'
        else 'no_usage'
    end as price_status,
    cost_usd is null and (unknown_count > 0 or (has_own and total_tokens > 0)) as has_unknown_cost,
    case cost_basis
        when 'sum_of_steps' then extrapolated_count > 0
        when 'list_price' then coalesce(is_extrapolated, false)
        else false
    end as is_price_extrapolated
from listed;

create temp table session_rules as
with own as (
    select
        sessions.session_key,
        text_rules.rule as text_rule,
        signal_rules.rule as signal_rule
    from sessions
    left join signal_rules on sessions.signal_hash = signal_rules.signal_hash
    left join text_rules on sessions.outcome_event_id = text_rules.event_id
    where signal_rules.rule is not null or text_rules.rule is not null
),

chosen as (
    select
        session_key,
        case
            when text_rule.priority < coalesce(signal_rule.priority, 100000) then text_rule else signal_rule
        end as rule
    from own
),

by_step as (
    select
        agent_session_key as session_key,
        failure_mode,
        failure_category,
        failure_group,
        failure_is_billed
    from fct_agent_steps
    where is_failed and agent_session_key in (
        select session_key from chosen
        where rule.failure_category = 'unclassified'
    )
    qualify row_number() over (
        partition by agent_session_key order by is_retried, ended_at, step_number, step_key
    ) = 1
)

select
    chosen.session_key,
    by_step.failure_mode is not null as is_by_step,
    case when is_by_step then by_step.failure_mode else rule.failure_mode end as failure_mode,
    case when is_by_step then by_step.failure_category else rule.failure_category end as failure_category,
    case when is_by_step then by_step.failure_group else rule.failure_group end as failure_group,
    rule.severity as failure_rule_severity,
    case when is_by_step then by_step.failure_is_billed else rule.is_billed end as failure_is_billed
from chosen
left join by_step on chosen.session_key = by_step.session_key;

create table fct_agent_sessions as
with descendants as (
    select
        ancestors.ancestor_hash as session_hash,
        sum(priced.cost_usd) as descendants_cost_usd,
        count(*) filter (priced.has_unknown_cost) as unknown_descendants
    from ancestors
    inner join priced_sessions as priced on ancestors.session_hash = priced.session_hash
    group by ancestors.ancestor_hash
),

-- sessions that stand in a tree, with the keys of those above
in_tree as (
    select
        tree.session_hash,
        tree.depth,
        parents.session_key as parent_key,
        roots.session_key as root_key
    from tree
    inner join sessions as parents on tree.parent_hash = parents.session_hash
    inner join sessions as roots on tree.root_hash = roots.session_hash
),

numbers as (
    select
        session_hash,
        row_number() over (partition by run_hash order by started_at, ended_at, session_key) as session_number
    from sessions
),

joined as (
    select
        s.*,
        numbers.session_number,
        case
            when s.session_status is not null then s.session_status
            when runs.run_status in ('in_progress', 'abandoned') then runs.run_status
            else 'unknown'
        end as final_status
    from sessions as s
    inner join numbers on s.session_hash = numbers.session_hash
    inner join runs on s.run_hash = runs.run_hash
)

select
    s.session_key as agent_session_key,
    s.run_key,
    s.conversation_id,
    s.interaction_id,
    s.agent_session_id,
    in_tree.parent_key as parent_agent_session_key,
    coalesce(in_tree.root_key, s.session_key) as root_agent_session_key,
    s.agent_name,
    coalesce(r.agent_role, any_agent.agent_role) as agent_role,
    cast(coalesce(in_tree.depth, 0) as bigint) as depth,
    s.session_number,
    s.final_status as session_status,
    s.sent_status,
    case
        when s.final_status = 'success' then true
        when s.final_status in ('error', 'timeout', 'cancelled', 'partial_success', 'abandoned') then false
    end as is_successful,
    s.session_source,
    s.match_method as response_match_method,
    s.model_name,
    models.canonical_model,
    cast(null as varchar) as service_tier,
    s.session_hash not in (from off_chain) as is_on_critical_path,
    s.has_started_event,
    s.has_completed_event,
    s.session_hash in (select session_hash from conflicting_ends) as has_conflicting_completions,
    s.parent_agent_session_id is not null
    and in_tree.parent_key is null
    and s.parent_agent_session_id != coalesce(s.agent_session_id, '') as has_unknown_parent,
    s.session_hash in (from cyclic)
    or coalesce(s.parent_agent_session_id = s.agent_session_id, false) as has_parent_cycle,
    f.failure_mode,
    f.failure_category,
    f.failure_group,
    f.failure_rule_severity,
    f.failure_is_billed,
    s.error_type,
    s.error_message_class,
    cast(null as varchar) as finish_reason,
    s.started_at,
    s.ended_at,
    cast(s.started_at as date) as session_date,
    s.duration_ms,
    case when s.reported_duration_ms is not null then 'reported' else 'derived' end as duration_source,
    is_suspect_ms(s.reported_duration_ms) as has_suspect_duration,
    s.has_clock_skew,
    t.llm_ms,
    t.tool_ms,
    sane_ms(s.duration_ms) - coalesce(t.llm_ms, 0) - coalesce(t.tool_ms, 0) as other_ms,
    coalesce(t.step_count, 0) as step_count,
    s.reported_steps_count,
    coalesce(t.llm_call_count, 0) as llm_call_count,
    coalesce(t.tool_call_count, 0) as tool_call_count,
    coalesce(t.failed_step_count, 0) as failed_step_count,
    coalesce(t.retried_step_count, 0) as retried_step_count,
    coalesce(t.fallback_step_count, 0) as fallback_step_count,
    coalesce(t.silent_failure_count, 0) as silent_failure_count,
    t.redundant_count as redundant_step_count,
    p.input_tokens,
    p.output_tokens,
    p.cache_read_tokens,
    p.cache_write_tokens,
    p.total_tokens,
    p.cost_usd,
    p.known_cost_usd,
    p.cost_basis,
    p.price_status,
    p.is_price_extrapolated,
    p.cost_includes_children,
    s.reported_cost_usd,
    p.list_cost_usd,
    p.list_cost_today_usd,
    p.classes[1] as input_cost_usd,
    p.classes[2] as output_cost_usd,
    p.classes[3] as cache_read_cost_usd,
    p.classes[4] as cache_write_cost_usd,
    t.tool_cost_usd,
    money(sane_ms(s.duration_ms) / 3600000.0 * coalesce(r.usd_per_hour, any_agent.usd_per_hour))
        as infrastructure_cost_usd,
    cast(
        p.cost_usd + coalesce(t.tool_cost_usd, 0) + coalesce(infrastructure_cost_usd, 0) as decimal(28, 9)
    ) as full_cost_usd,
    cast(t.cost_usd as decimal(28, 9)) as steps_cost_usd,
    cast(case
        when p.cost_usd is null and d.descendants_cost_usd is null then null
        else coalesce(p.cost_usd, 0) + coalesce(d.descendants_cost_usd, 0)
    end as decimal(28, 9)) as inclusive_cost_usd,
    coalesce(d.unknown_descendants, 0)
    + case when p.has_unknown_cost then 1 else 0 end as inclusive_unknown_cost_count,
    s.response_length
from joined as s
inner join priced_sessions as p on s.session_hash = p.session_hash
left join in_tree on s.session_hash = in_tree.session_hash
left join models on s.model_name = models.model_name
left join step_totals as t on s.session_key = t.session_key
left join session_rules as f on s.session_key = f.session_key
left join descendants as d on s.session_hash = d.session_hash
left join agent_rates as r on s.agent_name = r.agent_name
left join agent_rates as any_agent on any_agent.agent_name = '*';

-- Runs, second part -----------------------------------------------------------------------------

create temp table session_totals as
select
    s.run_hash,
    count(*) as agent_session_count,
    count(distinct s.agent_name) as agent_count,
    cast(sum(sane_ms(s.duration_ms)) as bigint) as busy_ms,
    cast(sum(t.step_count) as bigint) as step_count,
    cast(sum(t.llm_call_count) as bigint) as llm_call_count,
    cast(sum(t.tool_call_count) as bigint) as tool_call_count,
    cast(sum(t.failed_step_count) as bigint) as failed_step_count,
    cast(sum(t.retried_step_count) as bigint) as retried_step_count,
    cast(sum(t.silent_failure_count) as bigint) as silent_failure_count,
    cast(sum(p.input_tokens) as bigint) as input_tokens,
    cast(sum(p.output_tokens) as bigint) as output_tokens,
    cast(sum(p.cache_read_tokens) as bigint) as cache_read_tokens,
    cast(sum(p.cache_write_tokens) as bigint) as cache_write_tokens,
    cast(sum(p.total_tokens) as bigint) as sessions_total_tokens,
    cast(sum(p.cost_usd) as decimal(28, 9)) as sessions_cost_usd,
    cast(sum(p.known_cost_usd) as decimal(28, 9)) as sessions_known_usd,
    cast(sum(t.cost_usd) as decimal(28, 9)) as steps_cost_usd,
    cast(sum(p.list_cost_usd) as decimal(28, 9)) as list_cost_usd,
    cast(sum(p.list_cost_today_usd) as decimal(28, 9)) as list_cost_today_usd,
    case
        when count(*) filter (t.wasted_count > 0 and t.wasted_cost_usd is null) = 0
            then cast(sum(t.wasted_cost_usd) as decimal(28, 9))
    end as wasted_steps_cost_usd,
    cast(sum(t.wasted_count) as bigint) as wasted_step_count,
    count(*) filter (p.price_status = 'unpriced') as unpriced_count,
    count(*) filter (p.total_tokens > 0 and p.list_cost_usd is null) as unlisted_count,
    count(*) filter (p.total_tokens > 0 and p.list_cost_today_usd is null) as unlisted_today_count,
    count(*) filter (p.has_unknown_cost) as unknown_count,
    count(*) filter (p.is_price_extrapolated) as extrapolated_count,
    count(*) filter (p.price_status = 'priced') as listed_count,
    [
        cast(sum(p.classes[1]) as decimal(28, 9)),
        cast(sum(p.classes[2]) as decimal(28, 9)),
        cast(sum(p.classes[3]) as decimal(28, 9)),
        cast(sum(p.classes[4]) as decimal(28, 9))
    ] as sessions_classes,
    case
        when min(coalesce(p.canonical_model, '')) = max(p.canonical_model) then max(p.canonical_model)
    end as only_model,
    bool_or(coalesce(p.known_read_included, false)) as any_read_included,
    bool_and(coalesce(p.known_read_included, false)) as all_read_included,
    bool_or(coalesce(p.known_write_included, false)) as any_write_included,
    bool_and(coalesce(p.known_write_included, false)) as all_write_included
from sessions as s
inner join priced_sessions as p on s.session_hash = p.session_hash
left join step_totals as t on s.session_key = t.session_key
group by s.run_hash;

create temp table covered as
select
    run_hash,
    cast(sum(greatest(0, epoch_ms(ended_at) - epoch_ms(greatest(started_at, earlier_end)))) as bigint) as covered_ms
from (
    select
        run_hash,
        started_at,
        ended_at,
        max(ended_at) over (
            partition by run_hash order by started_at, ended_at
            rows between unbounded preceding and 1 preceding
        ) as earlier_end
    from sessions
)
group by run_hash;

create temp table failing_sessions as
select
    sessions.run_hash,
    session_rules.failure_mode,
    session_rules.failure_category
from sessions
inner join session_rules on sessions.session_key = session_rules.session_key
where sessions.session_status in ('error', 'timeout')
qualify row_number() over (
    partition by sessions.run_hash
    order by session_rules.failure_category = 'unclassified', sessions.ended_at, sessions.session_key
) = 1;

create temp table failing_steps as
with positions as (
    select
        run_key, step_key, agent_name, step_number, step_type, tool_name, model_name, canonical_model,
        failure_mode, failure_category, is_failed, is_retried,
        row_number() over in_run as row_order,
        count(*) over (partition by run_key) as step_count,
        sum(cost_usd) over (partition by run_key) as total_usd,
        sum(cost_usd) over (in_run rows between unbounded preceding and current row) as so_far_usd
    from fct_agent_steps
    where run_key in (select run_key from fct_agent_steps where is_failed)
    window in_run as (partition by run_key order by ended_at, agent_session_key, step_number, step_key)
)

select
    run_key,
    arg_min(step_key, row_order) as step_key,
    arg_min(struct_pack(
        agent := agent_name, number := step_number, kind := step_type, tool := tool_name, model := model_name,
        canonical_model := coalesce(canonical_model, model_name),
        share := cast(row_order as double) / step_count,
        cost_after := cast(total_usd - coalesce(so_far_usd, 0) as decimal(28, 9))
    ), row_order) as first_failing,
    arg_min(
        struct_pack(mode := failure_mode, category := failure_category),
        row_order + case when is_retried then 1000000000 else 0 end
    ) as explanation
from positions
where is_failed
group by run_key;

create temp table reasked as
select run_hash
from (
    select
        run_hash,
        prompt_hash,
        asked_at,
        lead(prompt_hash) over in_conversation as next_prompt_hash,
        lead(asked_at) over in_conversation as next_asked_at
    from (
        select run_hash, run_key, conversation_id, prompt_hash, coalesce(prompted_at, started_at) as asked_at
        from runs
        where prompt_hash is not null
    )
    window in_conversation as (partition by conversation_id order by asked_at, run_key)
)
where prompt_hash = next_prompt_hash and epoch_us(next_asked_at) <= epoch_us(asked_at) + 600000000;

-- How sessions stand to each other: all pairs of siblings that overlap, found by a join.
create temp table placed as
select
    f.agent_session_key as session_key,
    f.run_key,
    f.parent_agent_session_key as parent_key,
    coalesce(f.parent_agent_session_key, f.run_key) as sibling_group,
    f.session_number,
    f.depth,
    f.agent_name,
    f.agent_role,
    coalesce(f.agent_role in ('orchestrator', 'planner', 'router'), false) as is_directing,
    f.is_successful,
    f.started_at,
    f.ended_at,
    sane_ms(f.duration_ms) as duration_ms,
    f.is_on_critical_path,
    f.cost_usd,
    f.tool_cost_usd,
    f.infrastructure_cost_usd,
    p.has_unknown_cost,
    max(f.depth) over (partition by f.run_key) as max_depth
from fct_agent_sessions as f
inner join priced_sessions as p on f.agent_session_key = p.session_key;

create temp table side_by_side as
select
    a.run_key,
    a.session_key as earlier_key,
    b.session_key as later_key,
    a.parent_key is not null as have_parent,
    a.max_depth,
    coalesce(a.agent_name = b.agent_name, false) as are_of_one_agent,
    ms_between(b.started_at, least(a.ended_at, b.ended_at)) as overlap_ms,
    least(ms_between(a.started_at, a.ended_at), ms_between(b.started_at, b.ended_at)) as shorter_ms
from placed as a
inner join placed as b on a.sibling_group = b.sibling_group and a.session_number < b.session_number
where b.started_at < least(a.ended_at, b.ended_at);

create temp table loops as
select distinct run_key
from (
    select
        run_key,
        row_number() over calls as call_number,
        follows,
        lag(follows) over calls as before_follows
    from (
        select
            *,
            session_key not in (select later_key from side_by_side where are_of_one_agent) as follows
        from placed
        where agent_name is not null
    )
    window calls as (partition by sibling_group, agent_name order by session_number)
)
where call_number >= 3 and follows and before_follows;

create temp table savings as
select
    run_key,
    cast(sum(saving) as bigint) as sequential_sibling_ms
from (
    select run_key, sum(duration_ms) - max(duration_ms) as saving
    from placed
    where
        session_key not in (select later_key from side_by_side)
        and session_key not in (select earlier_key from side_by_side)
    group by run_key, sibling_group
)
group by run_key;

create temp table critical_times as
select
    run_key,
    cast(sum(greatest(0, epoch_ms(ended_at) - epoch_ms(greatest(started_at, earlier_end)))) as bigint) as critical_path_ms
from (
    select
        run_key,
        started_at,
        ended_at,
        max(ended_at) over (
            partition by run_key order by started_at, ended_at
            rows between unbounded preceding and 1 preceding
        ) as earlier_end
    from placed
    where is_on_critical_path
)
group by run_key;

create temp table paths as
select
    run_key,
    list(part order by first_number) as parts
from (
    select
        run_key,
        min(session_number) as first_number,
        label || case when count(*) > 1 then ' ×' || count(*) else '' end as part
    from (
        select
            run_key,
            session_number,
            coalesce(agent_name, '(not set)') as label,
            session_number
            - row_number() over (partition by run_key, coalesce(agent_name, '(not set)') order by session_number) as island
        from placed
    )
    group by run_key, label, island
)
group by run_key;

create temp table repetitions_in_run as
select
    run_key,
    cast(sum(greatest(times - 1, 0)) as bigint) as redundant_count,
    max(times) as most_times
from (
    select run_key, signature_hash, count(*) filter (not is_retry) as times
    from fct_agent_steps
    where signature_hash is not null
    group by run_key, signature_hash
)
group by run_key;

create temp table handoff_counts as
with in_run as (
    select
        run_key,
        case
            when max(max_depth) > 0 then count(parent_key)
            else count(*) filter (
                previous_end <= started_at or (previous_end is not null and started_at = ended_at)
            )
        end as handoff_count
    from (
        select
            *,
            lag(ended_at) over (partition by run_key order by session_number) as previous_end
        from placed
    )
    group by run_key
),

entries as (
    select
        placed.run_key,
        runs.parent_run_key,
        arg_min(placed.started_at, placed.session_number) as entered_at
    from placed
    inner join runs on placed.run_key = runs.run_key
    where runs.parent_run_key is not null and placed.parent_key is null
    group by placed.run_key, runs.parent_run_key
),

from_above as (
    select entries.run_key
    from entries
    inner join placed as callers on entries.parent_run_key = callers.run_key
    where callers.started_at <= entries.entered_at and callers.ended_at > entries.entered_at
    group by entries.run_key
    having count(*) = 1
)

select
    in_run.run_key,
    in_run.handoff_count + case when from_above.run_key is not null then 1 else 0 end as handoff_count
from in_run
left join from_above on in_run.run_key = from_above.run_key;

create temp table first_specialists as
select
    run_key,
    arg_min(
        struct_pack(name := agent_name, role := agent_role, has_failed := not is_successful, number := session_number),
        session_number
    ) as first
from placed
where agent_name is not null and not is_directing
group by run_key;

create temp table shapes as
select
    placed.run_key,
    placed.max_depth,
    count(distinct agent_name) > 1 as is_multi_agent,
    case
        when count(*) = 1 then 'single'
        when placed.run_key in (from loops) then 'loop'
        when placed.max_depth >= 2 then 'nested'
        when
            placed.run_key in (
                select run_key from side_by_side
                where case when max_depth > 0 then have_parent else 10 * overlap_ms > shorter_ms end
            )
            then 'fan_out'
        else 'linear'
    end as topology,
    any_value(first_specialists.first.name) as first_specialist,
    coalesce(bool_or(
        placed.session_number > first_specialists.first.number
        and (
            placed.agent_role = 'router'
            or (
                first_specialists.first.has_failed
                and placed.agent_role = first_specialists.first.role
                and placed.agent_name != first_specialists.first.name
            )
        )
    ), false) as is_rerouted,
    max(placed.ended_at) filter (is_worker) as last_worker_end,
    case
        when count(*) filter (is_worker and placed.has_unknown_cost) = 0
            then cast(coalesce(sum(placed.cost_usd) filter (is_worker), 0) as decimal(28, 9))
    end as worker_cost_usd,
    case
        when count(*) filter (not is_worker and placed.has_unknown_cost) = 0
            then cast(coalesce(sum(placed.cost_usd) filter (not is_worker), 0) as decimal(28, 9))
    end as orchestrator_cost_usd,
    cast(sum(placed.tool_cost_usd) as decimal(28, 9)) as tool_cost_usd,
    cast(sum(placed.infrastructure_cost_usd) as decimal(28, 9)) as infrastructure_cost_usd
from (
    select *, case when max_depth > 0 then parent_key is not null else not is_directing end as is_worker
    from placed
) as placed
left join first_specialists on placed.run_key = first_specialists.run_key
group by placed.run_key, placed.max_depth;

create temp table conversation_ends as
select run_key
from runs
where last_told_at is not null
qualify row_number() over (partition by conversation_id order by last_told_at desc, run_key desc) = 1;

create table fct_agent_runs as
with joined as (
    select
        runs.*,
        t.* exclude (run_hash),
        covered.covered_ms,
        failing_steps.first_failing,
        failing_steps.step_key as failing_step_key,
        failing_steps.explanation,
        a.rating, a.rating_count, a.regenerated_count, a.copied_count, a.shared_count,
        runs.run_hash in (from reasked) as is_reasked,
        runs.run_key in (from conversation_ends) as is_end_of_conversation,
        shapes.* exclude (run_key),
        savings.sequential_sibling_ms,
        critical_times.critical_path_ms,
        paths.parts,
        repetitions_in_run.redundant_count,
        repetitions_in_run.most_times,
        handoff_counts.handoff_count,
        coalesce(
            (
                select max(c.slo_ms) from workflow_catalog as c
                where c.workflow_name = runs.workflow_name and c.execution_mode = runs.execution_mode
            ),
            (
                select max(c.slo_ms) from workflow_catalog as c
                where c.workflow_name = runs.workflow_name and c.execution_mode = '*'
            ),
            (
                select max(c.slo_ms) from workflow_catalog as c
                where c.workflow_name = '*' and c.execution_mode = runs.execution_mode
            ),
            (select max(c.slo_ms) from workflow_catalog as c where c.workflow_name = '*' and c.execution_mode = '*')
        ) as slo_ms,
        text_rule_first(text_rules.rule, signal_rules.rule, 'failure_mode') as own_mode,
        text_rule_first(text_rules.rule, signal_rules.rule, 'failure_category') as own_category,
        failing_sessions.failure_mode as session_mode,
        failing_sessions.failure_category as session_category,
        t.run_hash is not null as has_sessions
    from runs
    left join session_totals as t on runs.run_hash = t.run_hash
    left join covered on runs.run_hash = covered.run_hash
    left join shapes on runs.run_key = shapes.run_key
    left join savings on runs.run_key = savings.run_key
    left join critical_times on runs.run_key = critical_times.run_key
    left join paths on runs.run_key = paths.run_key
    left join repetitions_in_run on runs.run_key = repetitions_in_run.run_key
    left join handoff_counts on runs.run_key = handoff_counts.run_key
    left join failing_steps on runs.run_key = failing_steps.run_key
    left join failing_sessions on runs.run_hash = failing_sessions.run_hash
    left join action_totals as a on runs.run_key = a.run_key
    left join signal_rules on runs.signal_hash = signal_rules.signal_hash
    left join text_rules on runs.completion_event_id = text_rules.event_id
),

usable as (
    select
        *,
        coalesce(sent_input, sent_output, sent_read, sent_write) is not null
        and not (
            coalesce(sent_read, 0) + coalesce(sent_write, 0) > 0
            and has_sessions
            and (any_read_included != all_read_included or any_write_included != all_write_included)
        )
        and not (
            coalesce(sent_input, 0) + coalesce(sent_output, 0) + coalesce(sent_read, 0) + coalesce(sent_write, 0) = 0
            and coalesce(sessions_total_tokens, 0) > 0
        ) as has_own,
        coalesce(any_read_included and all_read_included, false) as read_included,
        coalesce(any_write_included and all_write_included, false) as write_included,
        case
            when run_status in ('error', 'timeout') then 'hard'
            when run_status = 'cancelled' then 'cancelled'
            when run_status not in ('success', 'partial_success') then 'none'
            when run_status = 'partial_success' or own_mode is not null then 'soft'
            when
                coalesce(regenerated_count, 0) > 0 or coalesce(rating < 0.5, false) or is_reasked
                then 'soft'
            when coalesce(silent_failure_count, 0) > 0 then 'silent'
            when coalesce(failed_step_count, 0) > 0 then 'recovered'
            else 'none'
        end as severity,
        case
            when own_category != 'unclassified' then 'run'
            when explanation.category != 'unclassified' then 'step'
            when session_category != 'unclassified' then 'session'
            else 'run'
        end as explained_by
    from joined
),

counted as (
    select
        * exclude (input_tokens, output_tokens, cache_read_tokens, cache_write_tokens),
        case
            when has_own then uncached(sent_input, sent_read, sent_write, read_included, write_included)
            else input_tokens
        end as input_tokens,
        case when has_own then sent_output else output_tokens end as output_tokens,
        case when has_own then sent_read else cache_read_tokens end as cache_read_tokens,
        case when has_own then sent_write else cache_write_tokens end as cache_write_tokens
    from usable
),

summed as (
    select
        *,
        sum_of_classes(input_tokens, output_tokens, cache_read_tokens, cache_write_tokens) as total_tokens
    from counted
),

believed as (
    select
        summed.*,
        input_tokens is not null and output_tokens is not null as has_all_tokens,
        coalesce(ended_day < one_model.known_from, false) as is_extrapolated,
        believable(
            reported_cost_usd,
            coalesce(total_tokens, 0) = 0 and coalesce(llm_call_count, 0) = 0 and coalesce(sessions_known_usd, 0) = 0
        ) as believable_usd,
        case when unlisted_count = 0 then list_cost_usd end as whole_list_usd,
        case when unlisted_today_count = 0 then list_cost_today_usd end as whole_list_today_usd,
        case
            when
                coalesce(unknown_count, 0) = 0
                and (not has_own or sessions_total_tokens is null or sessions_total_tokens >= coalesce(total_tokens, 0))
                then sessions_cost_usd
        end as complete_sessions_usd,
        -- a total has a price only when all sessions used one model
        case
            when has_own and total_tokens > 0
                then list_price(input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, one_model.rate)
        end as own_floor_usd,
        case when has_all_tokens then own_floor_usd end as own_list_usd,
        case
            when unlisted_count = 0 and list_cost_usd is not null then sessions_classes
            else
                class_costs(
                    input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, one_model.rate, own_list_usd
                )
        end as classes,
        coalesce(greatest(sessions_known_usd, own_floor_usd), sessions_known_usd, own_floor_usd) as floor_usd
    from (select *, cast(ended_at as date) as ended_day from summed) as summed
    left join prices as one_model
        on
            only_model = one_model.canonical_model
            and ended_day >= one_model.valid_from
            and ended_day < one_model.valid_to
),

resolved as (
    select
        *,
        coalesce(believable_usd, complete_sessions_usd, own_list_usd) as cost_usd,
        case
            when believable_usd is not null then 'reported'
            when complete_sessions_usd is not null then 'sum_of_sessions'
            when own_list_usd is not null then 'list_price'
            else 'none'
        end as cost_basis
    from believed
)

select
    run_key,
    conversation_id,
    interaction_id,
    user_id,
    anonymous_id,
    parent_run_key,
    source_id,
    workflow_name,
    environment,
    trigger_type,
    execution_mode,
    input_method,
    cast(null as varchar) as intent,
    run_status,
    sent_status,
    case
        when run_status = 'success' then true
        when run_status in ('error', 'timeout', 'cancelled', 'partial_success', 'abandoned') then false
    end as is_successful,
    case
        when rating is not null then rating >= 0.5
        when regenerated_count > 0 or is_reasked then false
        when copied_count > 0 or shared_count > 0 then true
        when run_status in ('error', 'timeout') then false
    end as is_product_success,
    run_status != 'in_progress' as is_final,
    has_prompt,
    has_conflicting_completions,
    parent_interaction_id is not null and parent_run_hash is null as has_unknown_parent,
    is_reasked,
    case when is_reasked then 1 else 0 end
    + coalesce(regenerated_count, 0)
    + case when run_status = 'cancelled' then 1 else 0 end
    + case when run_status in ('error', 'timeout') and is_end_of_conversation then 1 else 0 end as friction_count,
    case severity
        when 'hard'
            then case explained_by
                when 'step' then explanation.mode
                when 'session' then session_mode
                else coalesce(own_mode, 'unclassified_error')
            end
        when 'cancelled' then coalesce(own_mode, 'user_cancelled')
        when 'soft'
            then case
                when own_mode is not null then own_mode
                when run_status = 'partial_success' then 'partial_success'
                when coalesce(regenerated_count, 0) > 0 then 'regenerated'
                when coalesce(rating < 0.5, false) then 'negative_feedback'
                else 'reasked'
            end
        when 'silent' then 'silent_tool_failure'
    end as failure_mode,
    case severity
        when 'hard'
            then case explained_by
                when 'step' then explanation.category
                when 'session' then session_category
                else coalesce(own_category, 'unclassified')
            end
        when 'cancelled' then coalesce(own_category, 'cancelled')
        when 'soft' then coalesce(own_category, case when run_status = 'partial_success' then 'model_error' end)
        when 'silent' then 'tool_error'
    end as failure_category,
    severity as failure_severity,
    case when severity = 'hard' then explained_by end as failure_explained_by,
    first_failing.agent as first_failing_agent,
    first_failing.number as first_failing_step_number,
    failing_step_key as first_failing_step_key,
    first_failing.kind as first_failing_step_type,
    first_failing.tool as first_failing_tool,
    first_failing.model as first_failing_model,
    first_failing.canonical_model as first_failing_canonical_model,
    first_failing.share as first_failing_position,
    first_failing.cost_after as cost_after_first_failure_usd,
    started_at,
    ended_at,
    prompted_at,
    last_event_at,
    cast(started_at as date) as run_date,
    duration_ms,
    duration_source,
    is_suspect_ms(reported_duration_ms) as has_suspect_duration,
    has_clock_skew,
    busy_ms,
    covered_ms,
    sane_ms(duration_ms) - covered_ms as gap_ms,
    cast(busy_ms as double) / nullif(covered_ms, 0) as parallelism,
    critical_path_ms,
    sequential_sibling_ms,
    case
        when is_multi_agent and run_status != 'in_progress' and last_worker_end <= ended_at
            then ms_between(last_worker_end, ended_at)
    end as synthesis_ms,
    slo_ms,
    case
        when slo_ms is null or run_status = 'in_progress' then null
        when run_status = 'abandoned' then nullif(coalesce(execution_mode = 'async', false), false)
        else sane_ms(duration_ms) > slo_ms
    end as is_slo_breached,
    coalesce(run_status = 'abandoned' and execution_mode = 'async', false) as is_never_finished,
    coalesce(is_multi_agent, false) as is_multi_agent,
    topology,
    max_depth,
    array_to_string(parts[:20], ' > ') || case when len(parts) > 20 then ' > …' else '' end as path_signature,
    first_specialist,
    coalesce(is_rerouted, false) as is_rerouted,
    coalesce(handoff_count, 0) as handoff_count,
    redundant_count as redundant_step_count,
    coalesce(topology = 'loop', false) or coalesce(most_times >= 5, false) as has_loop,
    coalesce(agent_session_count, 0) as agent_session_count,
    coalesce(agent_count, 0) as agent_count,
    coalesce(step_count, 0) as step_count,
    coalesce(llm_call_count, 0) as llm_call_count,
    coalesce(tool_call_count, 0) as tool_call_count,
    coalesce(failed_step_count, 0) as failed_step_count,
    coalesce(retried_step_count, 0) as retried_step_count,
    coalesce(silent_failure_count, 0) as silent_failure_count,
    reported_agents_count,
    reported_steps_count,
    input_tokens,
    output_tokens,
    cache_read_tokens,
    cache_write_tokens,
    total_tokens,
    cost_usd,
    coalesce(cost_usd, floor_usd) as known_cost_usd,
    cost_basis,
    case
        when cost_basis = 'reported' then 'reported'
        when cost_basis = 'sum_of_sessions' and coalesce(listed_count, 0) = 0 then 'reported'
        when cost_usd is not null then 'priced'
        when unpriced_count > 0 then 'unpriced'
        when floor_usd is not null then 'partial'
        when has_own and has_all_tokens and total_tokens > 0 then 'unpriced'
        when total_tokens > 0 and (has_own or unknown_count > 0) then 'partial'
        else 'no_usage'
    end as price_status,
    case cost_basis
        when 'sum_of_sessions' then coalesce(extrapolated_count, 0) > 0
        when 'list_price' then is_extrapolated
        else false
    end as is_price_extrapolated,
    reported_cost_usd,
    coalesce(whole_list_usd, own_list_usd) as list_cost_usd,
    whole_list_today_usd as list_cost_today_usd,
    classes[1] as input_cost_usd,
    classes[2] as output_cost_usd,
    classes[3] as cache_read_cost_usd,
    classes[4] as cache_write_cost_usd,
    orchestrator_cost_usd,
    worker_cost_usd,
    tool_cost_usd,
    infrastructure_cost_usd,
    cast(
        cost_usd + coalesce(tool_cost_usd, 0) + coalesce(infrastructure_cost_usd, 0) as decimal(28, 9)
    ) as full_cost_usd,
    sessions_cost_usd,
    steps_cost_usd,
    cast(cost_usd - sessions_cost_usd as decimal(28, 9)) as unexplained_cost_usd,
    cast(case
        when run_status in ('error', 'timeout', 'cancelled', 'abandoned') then cost_usd
        when coalesce(wasted_step_count, 0) = 0 then 0
        else wasted_steps_cost_usd
    end as decimal(28, 9)) as wasted_cost_usd,
    rating,
    coalesce(rating_count, 0) as rating_count,
    coalesce(regenerated_count, 0) as regenerated_count,
    coalesce(copied_count, 0) as copied_count,
    coalesce(shared_count, 0) as shared_count,
    prompt_hash,
    prompt_length,
    response_length
from resolved;

-- Marts -----------------------------------------------------------------------------------------

create table mart_cost_per_interaction as
with costed as (
    select
        *,
        coalesce(workflow_name, '(not set)') as workflow,
        is_final and cost_usd is not null as is_used,
        case when is_used then cost_usd end as used_usd
    from fct_agent_runs
)

select
    md5(run_date || '|' || md5(workflow) || '|' || trigger_type) as cost_per_interaction_key,
    run_date,
    workflow as workflow_name,
    trigger_type,
    count(*) as n_all,
    count(*) filter (is_used) as n_used,
    count(*) filter (not is_final) as n_unfinished,
    count(*) filter (price_status = 'unpriced') as n_unpriced,
    count(*) filter (price_status = 'partial') as n_partial,
    count(*) as run_count,
    count(*) filter (is_successful) as successful_run_count,
    count(*) filter (run_status in ('error', 'timeout')) as failed_run_count,
    count(*) filter (run_status = 'cancelled') as cancelled_run_count,
    cast(sum(cost_usd) as decimal(28, 9)) as cost_usd,
    cast(sum(known_cost_usd) as decimal(28, 9)) as known_cost_usd,
    cast(sum(used_usd) as decimal(28, 9)) as ended_cost_usd,
    cast(sum(case when not is_final then cost_usd end) as decimal(28, 9)) as pending_cost_usd,
    money(cast(sum(used_usd) as double) / nullif(count(*) filter (is_used), 0)) as cost_per_run_usd,
    money(
        cast(sum(used_usd) as double) / nullif(count(*) filter (is_used and is_successful), 0)
    ) as cost_per_successful_run_usd,
    money(quantile_cont(cast(used_usd as double), 0.5)) as p50_cost_usd,
    money(quantile_cont(cast(used_usd as double), 0.9)) as p90_cost_usd,
    money(quantile_cont(cast(used_usd as double), 0.95)) as p95_cost_usd,
    money(quantile_cont(cast(used_usd as double), 0.99)) as p99_cost_usd,
    max(used_usd) as max_cost_usd,
    cast(sum(wasted_cost_usd) as decimal(28, 9)) as wasted_cost_usd,
    cast(sum(list_cost_usd) as decimal(28, 9)) as list_cost_usd,
    cast(sum(reported_cost_usd) as decimal(28, 9)) as reported_cost_usd,
    cast(sum(input_tokens) as bigint) as input_tokens,
    cast(sum(output_tokens) as bigint) as output_tokens,
    cast(sum(cache_read_tokens) as bigint) as cache_read_tokens,
    cast(sum(cache_write_tokens) as bigint) as cache_write_tokens,
    cast(sum(total_tokens) as bigint) as total_tokens,
    cast(sum(case when price_status = 'unpriced' then total_tokens end) as bigint) as unpriced_tokens
from costed
group by run_date, workflow, trigger_type;

create table mart_agent_latency as
with objectives as (
    select
        names.agent_name,
        modes.execution_mode,
        coalesce(
            min(latency_slo_ms) filter (c.agent_name = names.agent_name and c.execution_mode = modes.execution_mode),
            min(latency_slo_ms) filter (c.agent_name = names.agent_name and c.execution_mode = '*'),
            min(latency_slo_ms) filter (c.agent_name = '*' and c.execution_mode = modes.execution_mode),
            min(latency_slo_ms) filter (c.agent_name = '*' and c.execution_mode = '*')
        ) as latency_slo_ms
    from (select distinct agent_name from sessions) as names
    cross join (select distinct execution_mode from runs) as modes
    cross join agent_catalog as c
    group by names.agent_name, modes.execution_mode
),

measured as (
    select
        s.session_date,
        coalesce(s.agent_name, '(not set)') as agent,
        s.price_status,
        s.llm_ms,
        s.tool_ms,
        s.other_ms,
        s.is_on_critical_path,
        o.latency_slo_ms,
        s.session_status not in ('in_progress', 'abandoned')
        and (
            s.has_completed_event or s.session_source = 'response' or s.response_match_method is not null
        ) as is_finished,
        case when is_finished then sane_ms(s.duration_ms) end as measured_ms,
        measured_ms is not null as is_used
    from fct_agent_sessions as s
    inner join runs on s.run_key = runs.run_key
    left join objectives as o
        on s.agent_name is not distinct from o.agent_name
        and runs.execution_mode is not distinct from o.execution_mode
)

select
    md5(session_date || '|' || agent) as agent_latency_key,
    session_date,
    agent as agent_name,
    count(*) as n_all,
    count(*) filter (is_used) as n_used,
    count(*) filter (not is_finished) as n_unfinished,
    count(*) filter (price_status = 'unpriced') as n_unpriced,
    count(*) filter (price_status = 'partial') as n_partial,
    count(*) filter (is_used and llm_ms is null and tool_ms is null) as n_without_step_times,
    avg(measured_ms) as mean_duration_ms,
    cast(quantile_cont(measured_ms, 0.5) as double) as p50_duration_ms,
    cast(quantile_cont(measured_ms, 0.9) as double) as p90_duration_ms,
    cast(quantile_cont(measured_ms, 0.95) as double) as p95_duration_ms,
    cast(quantile_cont(measured_ms, 0.99) as double) as p99_duration_ms,
    max(measured_ms) as max_duration_ms,
    cast(sum(measured_ms) as bigint) as duration_ms,
    cast(sum(case when is_used and coalesce(llm_ms, tool_ms) is not null then coalesce(llm_ms, 0) end) as bigint) as llm_ms,
    cast(sum(case when is_used and coalesce(llm_ms, tool_ms) is not null then coalesce(tool_ms, 0) end) as bigint) as tool_ms,
    cast(sum(case when is_used then other_ms end) as bigint) as other_ms,
    count(*) filter (is_used and is_on_critical_path) as critical_path_session_count,
    cast(sum(case when is_on_critical_path then measured_ms end) as double)
    / nullif(sum(measured_ms), 0) as critical_path_time_share,
    count(*) filter (is_used and latency_slo_ms is not null) as n_with_slo,
    count(*) filter (is_used and measured_ms > latency_slo_ms) as slo_breach_count
from measured
group by session_date, agent;

create table mart_failure_modes as
with people as (
    select run_key, coalesce(user_id, anonymous_id) as person_id
    from runs
),

bases as (
    select
        run_date as failure_date, 'run' as grain, count(*) as n_all, count(*) filter (is_final) as n_used
    from fct_agent_runs
    group by run_date
    union all
    select session_date, 'session', count(*), count(*) filter (session_status != 'in_progress')
    from fct_agent_sessions
    group by session_date
    union all
    select step_date, 'step', count(*), count(*)
    from fct_agent_steps
    group by step_date
),

failures as (
    select
        run_date as failure_date, 'run' as grain, first_failing_agent as agent_name,
        first_failing_step_type as step_type, first_failing_tool as tool_name, first_failing_model as model_name,
        failure_mode, failure_category, failure_severity, null as failure_rule_severity, coalesce(user_id, anonymous_id) as person_id,
        price_status, wasted_cost_usd as cost_usd, sane_ms(duration_ms) as lost_ms
    from fct_agent_runs
    where failure_mode is not null
    union all
    select
        session_date, 'session', agent_name, null, null, model_name,
        failure_mode, failure_category, null, failure_rule_severity, person_id,
        price_status, cost_usd, sane_ms(duration_ms)
    from fct_agent_sessions
    inner join people using (run_key)
    where failure_mode is not null
    union all
    select
        step_date, 'step', agent_name, step_type, tool_name, canonical_model,
        failure_mode, failure_category, null, failure_rule_severity, person_id,
        price_status, cost_usd, sane_ms(duration_ms)
    from fct_agent_steps
    inner join people using (run_key)
    where failure_mode is not null
),

counted as (
    select
        failure_date,
        grain,
        coalesce(agent_name, '(not set)') as agent_name,
        coalesce(step_type, '(none)') as step_type,
        coalesce(tool_name, '(none)') as tool_name,
        coalesce(models.canonical_model, failures.model_name, '(none)') as canonical_model,
        failure_mode,
        failure_category,
        failure_severity,
        failure_rule_severity,
        count(*) as failure_count,
        count(distinct person_id) as user_count,
        cast(sum(cost_usd) as decimal(28, 9)) as wasted_cost_usd,
        cast(sum(lost_ms) / 60000.0 as double) as lost_minutes,
        count(*) filter (price_status = 'unpriced') as n_unpriced,
        count(*) filter (price_status = 'partial') as n_partial
    from failures
    left join models on failures.model_name = models.model_name
    group by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
)

select
    md5(
        counted.failure_date || '|' || grain || '|' || md5(agent_name) || '|' || md5(step_type)
        || '|' || md5(tool_name) || '|' || md5(canonical_model) || '|' || failure_mode
        || '|' || coalesce(failure_category, '') || '|' || coalesce(failure_severity, failure_rule_severity, '')
    ) as failure_modes_key,
    counted.* exclude (user_count, wasted_cost_usd, lost_minutes, n_unpriced, n_partial),
    cast(failure_count as double) / nullif(bases.n_used, 0) as failure_share,
    user_count,
    wasted_cost_usd,
    lost_minutes,
    bases.n_all,
    bases.n_used,
    bases.n_all - bases.n_used as n_unfinished,
    n_unpriced,
    n_partial
from counted
inner join bases using (failure_date, grain);
