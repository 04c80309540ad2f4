-- Breaking: yes.
--
-- The tables, sequences, indexes and first rows of the schema `onboarding`. Callers read and write the columns of `jobs` that
-- `grants.sql` gives them; every other column is the worker's. Functions, views and triggers are in the other folders, and are
-- made after the migrations. Every constraint and sequence has its name here, so that a restore which lacks one is noticed.
CREATE SCHEMA IF NOT EXISTS onboarding;

-- The migrations that this database has; `onboard migrate` writes a row for each.
CREATE TABLE onboarding.migrations (
    version     integer     CONSTRAINT migrations_pkey PRIMARY KEY,
    name        text        NOT NULL,
    applied_at  timestamptz NOT NULL DEFAULT now(),
    -- Whether programs that do not know it must stop.
    is_breaking boolean     NOT NULL DEFAULT false
);

-- The functions, views, triggers and grants that `onboard migrate` has applied.
CREATE TABLE onboarding.sources (
    -- The name of its file, without the suffix.
    name     text    CONSTRAINT sources_pkey PRIMARY KEY,
    digest   text    NOT NULL,
    -- What it made, as DROP names it; null for the grants.
    object   text,
    -- The revision of the program that applied the files last; the same in all rows.
    revision integer NOT NULL
);

CREATE TABLE onboarding.providers (
    provider          text             CONSTRAINT providers_pkey PRIMARY KEY,
    max_in_flight     integer,
    rate_per_second   double precision,
    burst             integer,
    paused_until      timestamptz,
    pause_reason      text,
    held_until        timestamptz,
    circuit           text             NOT NULL DEFAULT 'closed',
    circuit_reason    text,
    circuit_opened_at timestamptz,
    circuit_probe_at  timestamptz,
    circuit_failures  integer          NOT NULL DEFAULT 0,
    -- The theoretical arrival time of the generic cell rate algorithm.
    rate_due_at       timestamptz,
    updated_at        timestamptz      NOT NULL DEFAULT now(),
    -- How long after its last byte a request may have its effect.
    effect_horizon    interval         NOT NULL DEFAULT '120 s',
    -- How often calls were refused in a row; the hold doubles with each.
    throttle_streak   integer          NOT NULL DEFAULT 0,
    throttled_at      timestamptz,
    -- The rate that refusals taught; null: nothing is known of one.
    adaptive_rate     double precision,
    -- In how many seconds the learnt rate doubles, and since when answers count for it.
    rate_doubling     double precision NOT NULL DEFAULT 4,
    measured_since    timestamptz,
    -- Calls in flight until enough have ended well, as of `tried_at`; null where every lost answer can be asked for.
    call_window       double precision,
    doubt             double precision NOT NULL DEFAULT 0,
    tried_at          timestamptz,
    CONSTRAINT providers_max_in_flight_not_negative CHECK (max_in_flight >= 0),
    CONSTRAINT providers_rate_per_second_positive CHECK (rate_per_second BETWEEN 0.00001 AND 1000000),
    CONSTRAINT providers_burst_positive CHECK (burst BETWEEN 1 AND 1000000),
    CONSTRAINT providers_circuit_known CHECK (circuit IN ('closed', 'open', 'half_open')),
    CONSTRAINT providers_effect_horizon_a_day CHECK (effect_horizon BETWEEN interval '0' AND interval '1 day')
);

CREATE TABLE onboarding.kinds (
    kind          text     CONSTRAINT kinds_pkey PRIMARY KEY,
    provider      text     NOT NULL CONSTRAINT kinds_provider_fkey REFERENCES onboarding.providers (provider),
    -- Checked by INSERT: the top level of the kind's contract, by name of the field: `type`, `required` where it is, for a
    -- string `minLength`, `maxLength`, `pattern` with its `meaning`, or `enum`; `variants` has the rules that a value of the
    -- field brings. Written by `onboard migrate` from the program's definitions, as all but `keep_finished`.
    fields        jsonb    NOT NULL DEFAULT '{}',
    -- What follows a lost answer: `same_key` resends, `look_up` asks first, `none` leaves it uncertain.
    lost_answer   text     NOT NULL,
    -- How long finished jobs are kept; null is for ever.
    keep_finished interval,
    -- The names that `jobs.parameters` may have.
    parameters    text[]   NOT NULL DEFAULT '{}',
    -- The kind that makes the record to which this one belongs, and the parameter that has that record's id. The id may come
    -- from the job in `after_job_id` instead.
    parent_kind      text,
    parent_parameter text,
    -- The form of the provider's ids, for the id that an operator's verdict gives: no word, no zeros.
    id_pattern    text     NOT NULL,
    CONSTRAINT kinds_named_by_provider CHECK (provider = split_part(kind, '.', 1)),
    CONSTRAINT kinds_lost_answer_known CHECK (lost_answer IN ('same_key', 'look_up', 'none')),
    CONSTRAINT kinds_keep_finished_a_day CHECK (keep_finished >= interval '1 day')
);

-- `last_sent_at` is set while an earlier request may have had its effect, or may still have it: the job is in doubt. It is null
-- where nothing was sent, or where a look-up proved that nothing exists. While a job runs, its present request is told by
-- `marked_at` or, where a key makes a resend harmless, by the claim itself. No moments are compared for this, since a clock that
-- is set back would make that wrong: a claim takes back the marks of the one before.
CREATE TABLE onboarding.jobs (
    id                  bigint      GENERATED BY DEFAULT AS IDENTITY (SEQUENCE NAME onboarding.jobs_id_seq),
    -- The fencing token: a random number for each claim, since a sequence can repeat numbers whose WAL was lost with a server.
    claim_token         bigint,
    after_job_id        bigint,
    run_at              timestamptz NOT NULL DEFAULT now(),
    expires_at          timestamptz,
    created_at          timestamptz NOT NULL DEFAULT now(),
    updated_at          timestamptz NOT NULL DEFAULT now(),
    claimed_at          timestamptz,
    lease_expires_at    timestamptz,
    -- The first and last send under the present key that may have arrived.
    first_sent_at       timestamptz,
    last_sent_at        timestamptz,
    cancel_requested_at timestamptz,
    finished_at         timestamptz,
    -- Its default is `new_idempotency_key`, set in the file of that function.
    idempotency_key     uuid        NOT NULL,
    payload_bytes       integer     NOT NULL DEFAULT 0,
    last_http_status    integer,
    -- The status that answered the last request that creates, under the present key; null when its answer was lost.
    last_create_status  integer,
    priority            smallint    NOT NULL DEFAULT 5,
    attempt             smallint    NOT NULL DEFAULT 0,
    max_attempts        smallint    NOT NULL DEFAULT 25,
    backoff_step        smallint    NOT NULL DEFAULT 0,
    kind                text        NOT NULL,
    provider            text        NOT NULL GENERATED ALWAYS AS (split_part(kind, '.', 1)) STORED,
    state               text        NOT NULL DEFAULT 'available',
    step                text        NOT NULL DEFAULT 'create',
    -- Behind another job of its order key: not in the claim's index, however many there are.
    is_behind           boolean     NOT NULL DEFAULT false,
    follow              text        NOT NULL DEFAULT 'created',
    reference           text,
    unique_key          text,
    order_key           text,
    traceparent         text,
    claimed_by          text,
    provider_id         text,
    provider_status     text,
    decision            text,
    last_outcome        text,
    last_error          text,
    body_sha256         bytea,
    parameters          jsonb       NOT NULL DEFAULT '{}',
    payload             jsonb       NOT NULL,
    -- When the present claim's request was marked as about to leave.
    marked_at           timestamptz,
    -- Since the present claim a worker that had lost the job has told that its request may have had an effect.
    late_doubt          boolean     NOT NULL DEFAULT false,
    -- The last moment of a request of which a person said that it had no effect: nothing is created within its horizon.
    denied_at           timestamptz,
    -- Look-ups in a row that told nothing, and since when.
    mute_since          timestamptz,
    mute_look_ups       smallint    NOT NULL DEFAULT 0,
    -- The digest of the request under the present key.
    request_sha256      bytea,
    CONSTRAINT jobs_pkey PRIMARY KEY (id),
    CONSTRAINT jobs_after_job_known FOREIGN KEY (after_job_id) REFERENCES onboarding.jobs (id),
    CONSTRAINT jobs_state_known CHECK (state IN (
        'blocked', 'available', 'running', 'waiting', 'uncertain', 'completed', 'failed', 'cancelled')),
    CONSTRAINT jobs_step_known CHECK (step IN ('create', 'look_up')),
    CONSTRAINT jobs_decision_known CHECK (decision IN ('approved', 'declined', 'expired')),
    CONSTRAINT jobs_running_is_claimed CHECK (
        state <> 'running' OR (claim_token IS NOT NULL AND claimed_by IS NOT NULL AND claimed_at IS NOT NULL)),
    CONSTRAINT jobs_completed_has_provider_id CHECK (state <> 'completed' OR provider_id IS NOT NULL),
    -- The rule that no write may break, whoever decides: a job whose request may have had an effect does not end without an answer.
    CONSTRAINT jobs_no_end_in_doubt CHECK (state NOT IN ('failed', 'cancelled') OR last_sent_at IS NULL)
) WITH (
    -- Half a page stays free for the two versions that a job's run writes: on the row's own page they need no lock record and
    -- log only what has changed, a sixth less WAL per job; and the table ends up smaller.
    fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05,
    autovacuum_vacuum_cost_delay = 0
);

-- The claim: one provider, one priority at a time, oldest due first.
CREATE INDEX jobs_claim_idx ON onboarding.jobs (provider, priority, run_at, id)
    WHERE state = 'available' AND NOT is_behind;
-- Calls in flight of a provider, and the jobs of a dead worker: by the time of the claim, so that a look can begin at the oldest
-- running job (`maintenance.running_since`). While somebody holds an old snapshot, each job that ran leaves an entry here that
-- cannot be vacuumed; and new entries come at the end of each provider's.
CREATE INDEX jobs_running_idx ON onboarding.jobs (provider, claimed_at) WHERE state = 'running';
CREATE UNIQUE INDEX jobs_idempotency_key_idx ON onboarding.jobs (idempotency_key);
CREATE UNIQUE INDEX jobs_unique_key_idx ON onboarding.jobs (kind, unique_key) WHERE unique_key IS NOT NULL;
CREATE INDEX jobs_after_idx ON onboarding.jobs (after_job_id) WHERE after_job_id IS NOT NULL;
CREATE INDEX jobs_order_idx ON onboarding.jobs (provider, order_key, id)
    WHERE order_key IS NOT NULL AND state IN ('blocked', 'available', 'running', 'waiting', 'uncertain');
-- Those behind, to find a key whose head is gone without telling.
CREATE INDEX jobs_behind_idx ON onboarding.jobs (provider, order_key, id)
    WHERE is_behind AND state IN ('blocked', 'available', 'running', 'waiting', 'uncertain');
-- The last line of "one at a time": two claims that race for one order key cannot both commit.
CREATE UNIQUE INDEX jobs_order_running_idx ON onboarding.jobs (provider, order_key)
    WHERE order_key IS NOT NULL AND state = 'running';
-- Only a job that was never sent expires without a look-up.
CREATE INDEX jobs_expiry_idx ON onboarding.jobs (expires_at)
    WHERE expires_at IS NOT NULL AND state = 'available' AND last_sent_at IS NULL;
CREATE INDEX jobs_finished_idx ON onboarding.jobs (finished_at, provider, state) WHERE finished_at IS NOT NULL;
CREATE INDEX jobs_attention_idx ON onboarding.jobs (state, id) WHERE state IN ('uncertain', 'failed', 'waiting');
CREATE INDEX jobs_blocked_idx ON onboarding.jobs (provider) WHERE state = 'blocked';
CREATE INDEX jobs_blocked_id_idx ON onboarding.jobs (id) WHERE state = 'blocked';
CREATE INDEX jobs_reference_idx ON onboarding.jobs (reference) WHERE reference IS NOT NULL;
-- Who else has a provider's id. Two answers that come at once with one id cannot both complete a job: `taken_ids` cannot see
-- what has not committed, this can. An id that a look-up or a person adopts may be shared.
CREATE UNIQUE INDEX jobs_provider_id_key ON onboarding.jobs
    (provider_id, provider, (CASE WHEN last_outcome = 'succeeded' THEN 0 ELSE id END)) WHERE provider_id IS NOT NULL;

-- The journal: a row per attempt, written when the attempt ends; `late` rows are what a fenced-out worker brought afterwards. In
-- partitions by month, made by `maintain`. A row's partition follows from its claim, so that a second writing of the same end
-- finds the first.
CREATE TABLE onboarding.attempts (
    -- No foreign key: evidence about a job is taken whatever became of the job's row.
    job_id          bigint      NOT NULL,
    claim_token     bigint      NOT NULL,
    claimed_at      timestamptz NOT NULL,
    sent_at         timestamptz,
    finished_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    next_run_at     timestamptz,
    idempotency_key uuid        NOT NULL,
    http_status     integer,
    attempt         smallint    NOT NULL,
    late            boolean     NOT NULL DEFAULT false,
    step            text        NOT NULL,
    worker          text        NOT NULL,
    outcome         text        NOT NULL,
    next_state      text,
    next_step       text,
    provider_id     text,
    provider_status text,
    request_id      text,
    error           text,
    reason          text,
    body_sha256     bytea,
    CONSTRAINT attempts_pkey PRIMARY KEY (job_id, claim_token, late, claimed_at)
) PARTITION BY RANGE (claimed_at);

-- State changes that are not the start or end of an attempt; the view `transitions` adds those.
CREATE SEQUENCE onboarding.state_change_ids AS bigint;
CREATE TABLE onboarding.state_changes (
    id         bigint      NOT NULL DEFAULT nextval('onboarding.state_change_ids'),
    job_id     bigint      NOT NULL,
    at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    from_state text        NOT NULL,
    to_state   text        NOT NULL,
    actor      text        NOT NULL,
    reason     text,
    -- The keys before and after, where a retry changed them.
    old_key    uuid,
    new_key    uuid,
    CONSTRAINT state_changes_pkey PRIMARY KEY (id, at)
) PARTITION BY RANGE (at);
CREATE INDEX state_changes_job_idx ON onboarding.state_changes (job_id, at);

-- The first partitions have no start and end with the month.
DO $$
DECLARE
    -- As text in UTC: the session's time zone and date style change neither the calendar nor how it is read.
    next_month text := to_char(date_trunc('month', now() AT TIME ZONE 'UTC') + interval '1 month', 'YYYY-MM-DD 00:00:00+00');
BEGIN
    EXECUTE format('CREATE TABLE onboarding.attempts_first PARTITION OF onboarding.attempts FOR VALUES FROM (MINVALUE) TO (%L) '
        'WITH (fillfactor = 100, autovacuum_vacuum_insert_scale_factor = 0.1)', next_month);
    EXECUTE format('CREATE TABLE onboarding.state_changes_first PARTITION OF onboarding.state_changes '
        'FOR VALUES FROM (MINVALUE) TO (%L)', next_month);
END;
$$;
-- For a fleet whose maintenance has not run for months: nothing is refused.
CREATE TABLE onboarding.attempts_rest PARTITION OF onboarding.attempts DEFAULT;
CREATE TABLE onboarding.state_changes_rest PARTITION OF onboarding.state_changes DEFAULT;
-- Rows of these partitions are looked for by their time: to move them and to delete them.
CREATE INDEX attempts_rest_claimed_at_idx ON onboarding.attempts_rest (claimed_at);
CREATE INDEX state_changes_rest_at_idx ON onboarding.state_changes_rest (at);

-- Who did what to a provider, when and why.
CREATE TABLE onboarding.provider_events (
    id       bigint      GENERATED ALWAYS AS IDENTITY (SEQUENCE NAME onboarding.provider_events_id_seq)
                         CONSTRAINT provider_events_pkey PRIMARY KEY,
    provider text        NOT NULL CONSTRAINT provider_events_provider_fkey REFERENCES onboarding.providers (provider),
    at       timestamptz NOT NULL DEFAULT now(),
    actor    text        NOT NULL,
    event    text        NOT NULL,
    reason   text
);

-- A row per live process; its lease covers every job that it has claimed.
CREATE TABLE onboarding.worker_leases (
    id               text        CONSTRAINT worker_leases_pkey PRIMARY KEY,
    host             text        NOT NULL,
    version          text        NOT NULL,
    started_at       timestamptz NOT NULL DEFAULT now(),
    last_seen_at     timestamptz NOT NULL DEFAULT now(),
    lease_expires_at timestamptz NOT NULL,
    in_flight        integer     NOT NULL DEFAULT 0,
    concurrency      integer     NOT NULL,
    draining         boolean     NOT NULL DEFAULT false,
    providers        text[]      NOT NULL,
    -- The longest that a call of it can take.
    call_timeout     interval    NOT NULL DEFAULT '0'
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200);

-- The settings and the state of `maintain` and of the clock's watch.
CREATE TABLE onboarding.maintenance (
    -- One row.
    is_only_row         boolean     DEFAULT true CONSTRAINT maintenance_pkey PRIMARY KEY
                                    CONSTRAINT maintenance_is_only_row_check CHECK (is_only_row),
    -- How long the history is kept; null is for ever.
    keep_history        interval    CONSTRAINT maintenance_keep_history_check CHECK (keep_history >= interval '31 days'),
    last_run_at         timestamptz NOT NULL DEFAULT '-infinity',
    -- Until when ends are summed by minute.
    counted_until       timestamptz,
    -- No running job was claimed before this; a minute old at least, so that no claim commits behind it.
    running_since       timestamptz NOT NULL DEFAULT '-infinity',
    -- Ages from before are not known: nobody watched the clock, or it jumped.
    clock_watched_since timestamptz,
    -- The time of the clock when a worker last signed off.
    clock_seen_at       timestamptz,
    -- The time that the clock may have shown before it was last set back.
    clock_set_back_at   timestamptz
);
INSERT INTO onboarding.maintenance DEFAULT VALUES;

-- Successes that came too late, apart from the journal: the claim looks here, at a few rows, whatever the journal holds.
CREATE TABLE onboarding.late_successes (
    job_id          bigint      NOT NULL,
    claim_token     bigint      NOT NULL,
    provider_id     text        NOT NULL,
    provider_status text,
    worker          text        NOT NULL,
    at              timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT late_successes_pkey PRIMARY KEY (job_id, claim_token)
);

-- Second records that a job is known to have at a provider, and ids that two jobs share.
CREATE TABLE onboarding.shared_ids (
    job_id       bigint      NOT NULL,
    other_job_id bigint      NOT NULL,
    at           timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT shared_ids_pkey PRIMARY KEY (job_id, other_job_id)
);
CREATE INDEX shared_ids_other_idx ON onboarding.shared_ids (other_job_id);

-- Jobs whose end may not have been told to all that waits for it: a dependent was locked, or the next of the order key; or what
-- waits was inserted while the end could not see it. Not unique, so that no INSERT ever waits for another's.
CREATE TABLE onboarding.unsettled_ends (
    job_id bigint      NOT NULL,
    at     timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX unsettled_ends_at_idx ON onboarding.unsettled_ends (at);

-- Ends that no minute's sum has yet, a row for those of one transaction. A row is here or in a sum, never in both, whatever
-- clocks do and however late its transaction commits.
CREATE TABLE onboarding.ended (
    at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    provider  text        NOT NULL,
    completed bigint      NOT NULL,
    failed    bigint      NOT NULL
);
CREATE INDEX ended_at_idx ON onboarding.ended (at);

-- Jobs that ended, by minute.
CREATE TABLE onboarding.ended_by_minute (
    minute    timestamptz NOT NULL,
    provider  text        NOT NULL,
    completed bigint      NOT NULL,
    failed    bigint      NOT NULL,
    CONSTRAINT ended_by_minute_pkey PRIMARY KEY (minute, provider)
);

-- The last whole count of each provider that had a larger backlog than a look counts; null is what a look counts by itself.
CREATE TABLE onboarding.backlog (
    provider   text        CONSTRAINT backlog_pkey PRIMARY KEY,
    due        bigint,
    scheduled  bigint,
    waiting    bigint,
    uncertain  bigint,
    blocked    bigint,
    counted_at timestamptz NOT NULL
);

-- The steps of `maintain` that fail, since when and why.
CREATE TABLE onboarding.upkeep_failures (
    step    text        CONSTRAINT upkeep_failures_pkey PRIMARY KEY,
    since   timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    code    text        NOT NULL,
    problem text        NOT NULL
);

-- Where the next look for finished jobs of a kind continues; no row: at the oldest.
CREATE TABLE onboarding.retention_places (
    kind        text        CONSTRAINT retention_places_pkey PRIMARY KEY
                            CONSTRAINT retention_places_kind_fkey REFERENCES onboarding.kinds (kind) ON DELETE CASCADE,
    finished_at timestamptz NOT NULL,
    job_id      bigint      NOT NULL
);

-- Which settings were changed, by whom, and their values before and after.
CREATE TABLE onboarding.setting_changes (
    id         bigint      GENERATED ALWAYS AS IDENTITY (SEQUENCE NAME onboarding.setting_changes_id_seq)
                           CONSTRAINT setting_changes_pkey PRIMARY KEY,
    at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor      text        NOT NULL,
    -- The table, and the key of its row where it has several.
    relation   text        NOT NULL,
    object     text,
    old_values jsonb       NOT NULL,
    new_values jsonb       NOT NULL
);
CREATE INDEX setting_changes_at_idx ON onboarding.setting_changes (at);

-- Tables without a key. Where a publication names them, a row that is deleted has to be told apart.
ALTER TABLE onboarding.ended REPLICA IDENTITY FULL;
ALTER TABLE onboarding.unsettled_ends REPLICA IDENTITY FULL;

-- Rights are given by grants alone. Where an event trigger enables row security for new tables, without a policy, only the
-- owner would see or insert a row.
DO $$
DECLARE
    shut regclass;
BEGIN
    FOR shut IN
        SELECT c.oid FROM pg_catalog.pg_class c
        WHERE c.relnamespace = 'onboarding'::regnamespace AND c.relrowsecurity
          AND NOT EXISTS (SELECT FROM pg_catalog.pg_policy o WHERE o.polrelid = c.oid)
    LOOP
        EXECUTE format('ALTER TABLE %s DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY', shut);
    END LOOP;
END;
$$;
