-- The tables of the schema `onboarding`. Callers read and write `jobs` as design section 3.1 says;
-- every other column is the worker's.
CREATE SCHEMA IF NOT EXISTS onboarding;

CREATE TABLE onboarding.migrations (
    version    integer     PRIMARY KEY,
    name       text        NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);

INSERT INTO onboarding.migrations (version, name) VALUES (1, 'tables');

CREATE TABLE onboarding.providers (
    provider          text             PRIMARY KEY,
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
    CONSTRAINT providers_max_in_flight_not_negative CHECK (max_in_flight >= 0),
    CONSTRAINT providers_rate_per_second_positive CHECK (rate_per_second BETWEEN 0.00001 AND 1000000),
    CONSTRAINT providers_burst_positive CHECK (burst BETWEEN 1 AND 1000000),
    CONSTRAINT providers_circuit_known CHECK (circuit IN ('closed', 'open', 'half_open'))
);

CREATE TABLE onboarding.kinds (
    kind            text    PRIMARY KEY,
    provider        text    NOT NULL REFERENCES onboarding.providers (provider),
    -- Checked by INSERT: the top level of the kind's contract, by name of the field: `type`, `required` where it is, for a
    -- string `minLength`, `maxLength`, `pattern` with its `meaning`, or `enum`; `variants` has the rules that a value of the
    -- field brings. It is what the program's contract has; a test compares the two.
    fields          jsonb   NOT NULL DEFAULT '{}',
    -- What follows a lost answer: `same_key` resends, `look_up` asks first, `none` leaves it uncertain.
    lost_answer     text    NOT NULL,
    -- The payload field without which the provider cannot be asked for the record; null: it always can.
    look_up_field   text,
    -- The names that `jobs.parameters` may have.
    parameters      text[]  NOT NULL DEFAULT '{}',
    -- The kind that makes the record to which this one belongs, and the parameter that has that record's id. The id may come
    -- from the job in `after_job_id` instead.
    parent_kind      text,
    parent_parameter text,
    CONSTRAINT kinds_named_by_provider CHECK (provider = split_part(kind, '.', 1)),
    CONSTRAINT kinds_lost_answer_known CHECK (lost_answer IN ('same_key', 'look_up', 'none'))
);

INSERT INTO onboarding.providers (provider) VALUES ('iron'), ('connect'), ('axisfi'), ('juicyway');

INSERT INTO onboarding.kinds (kind, provider, lost_answer, look_up_field) VALUES
    ('iron.customer.create', 'iron', 'same_key', 'external_id'),
    ('iron.identification.create', 'iron', 'same_key', NULL),
    ('connect.individual.create', 'connect', 'none', NULL),
    ('axisfi.customer.create', 'axisfi', 'look_up', NULL),
    ('juicyway.customer.create', 'juicyway', 'same_key', NULL);

UPDATE onboarding.kinds SET fields = '{
    "customer_type": {"enum": ["Business", "Person"], "required": true, "type": "string"},
    "email": {"meaning": "must be an e-mail address", "pattern": "^[^@ \\n\\r\\t]+@[^@ \\n\\r\\t]+$(?!\\n)", "required": true, "type": "string"},
    "external_id": {"type": "string"},
    "name": {"type": "string"}}'
WHERE kind = 'iron.customer.create';

UPDATE onboarding.kinds SET fields = '{
    "type": {"minLength": 1, "required": true, "type": "string", "variants": {
        "Business": {
            "company_data": {"required": true, "type": "object"},
            "ip_address": {"required": true, "type": "string"},
            "phone": {"required": true, "type": "string"},
            "questionnaire": {"required": true, "type": "object"}},
        "Link": {
            "with_edd": {"type": "boolean"}},
        "Person": {
            "address": {"required": true, "type": "object"},
            "consent_collected_at": {"required": true, "type": "string"},
            "date_of_birth": {"meaning": "must be a date, YYYY-MM-DD", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$(?!\\n)", "required": true, "type": "string"},
            "documents": {"type": "array"},
            "edd_questionnaire": {"type": "object"},
            "email_address": {"meaning": "must be an e-mail address", "pattern": "^[^@ \\n\\r\\t]+@[^@ \\n\\r\\t]+$(?!\\n)", "required": true, "type": "string"},
            "first_name": {"required": true, "type": "string"},
            "full_name": {"required": true, "type": "string"},
            "identity": {"required": true, "type": "object"},
            "intended_use": {"enum": ["Investing", "PaymentToFriendsFamilyorOthers", "PurchaseDigitalAssets", "OnlinePurchasesOfGoodsOrServices", "Trading"], "required": true, "type": "string"},
            "kyc_questionnaire": {"required": true, "type": "object"},
            "last_name": {"required": true, "type": "string"},
            "phone_number": {"required": true, "type": "string"},
            "sharing_consent": {"required": true, "type": "boolean"},
            "tax_identification_number": {"type": "string"}},
        "Token": {
            "edd_questionnaire": {"type": "object"},
            "intended_use": {"enum": ["Investing", "PaymentToFriendsFamilyorOthers", "PurchaseDigitalAssets", "OnlinePurchasesOfGoodsOrServices", "Trading"], "required": true, "type": "string"},
            "ip_address": {"type": "string"},
            "kyc_questionnaire": {"type": "object"},
            "token": {"required": true, "type": "string"}}}}}'
WHERE kind = 'iron.identification.create';

UPDATE onboarding.kinds SET fields = '{
    "basicData": {"required": true, "type": "object"},
    "email": {"meaning": "must be an e-mail address", "pattern": "^[^@ \\n\\r\\t]+@[^@ \\n\\r\\t]+$(?!\\n)", "type": "string"},
    "identification": {"required": true, "type": "object"},
    "isPep": {"type": "boolean"},
    "mainAddress": {"required": true, "type": "object"},
    "pepExplanation": {"type": "string"},
    "phoneCountryCode": {"meaning": "must be 1 to 4 digits", "pattern": "^[0-9]{1,4}$(?!\\n)", "type": "string"},
    "phoneNumber": {"meaning": "may have digits, spaces, hyphens, plus signs and parentheses only", "pattern": "^[0-9 \\-+()]+$(?!\\n)", "type": "string"},
    "taxInformation": {"required": true, "type": "object"}}'
WHERE kind = 'connect.individual.create';

UPDATE onboarding.kinds SET fields = '{
    "account_usage": {"type": "object"},
    "business_details": {"required": true, "type": "object"},
    "business_person_list": {"type": "array"},
    "partner_customer_id": {"maxLength": 64, "minLength": 20, "required": true, "type": "string"},
    "primary_contact": {"type": "object"},
    "registration_address": {"required": true, "type": "object"}}'
WHERE kind = 'axisfi.customer.create';

UPDATE onboarding.kinds SET fields = '{
    "billing_address": {"required": true, "type": "object"},
    "email": {"meaning": "must be an e-mail address", "pattern": "^[^@ \\n\\r\\t]+@[^@ \\n\\r\\t]+$(?!\\n)", "required": true, "type": "string"},
    "first_name": {"maxLength": 100, "minLength": 1, "required": true, "type": "string"},
    "last_name": {"maxLength": 100, "minLength": 1, "required": true, "type": "string"},
    "phone": {"minLength": 1, "required": true, "type": "string"},
    "type": {"enum": ["individual", "business"], "required": true, "type": "string"}}'
WHERE kind = 'juicyway.customer.create';

-- A fresh number for each claim; only equality is ever asked of it.
CREATE SEQUENCE onboarding.claim_tokens AS bigint CACHE 32;

CREATE TABLE onboarding.jobs (
    id                  bigint      GENERATED BY DEFAULT AS IDENTITY,
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
    idempotency_key     uuid        NOT NULL DEFAULT gen_random_uuid(),
    payload_bytes       integer     NOT NULL DEFAULT 0,
    last_http_status    integer,
    -- What answered the last request that creates, under the present key; null when its answer was lost.
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
    CONSTRAINT jobs_pkey PRIMARY KEY (id),
    CONSTRAINT jobs_after_job_known FOREIGN KEY (after_job_id) REFERENCES onboarding.jobs (id),
    CONSTRAINT jobs_state_known CHECK (state IN (
        'blocked', 'available', 'running', 'waiting', 'uncertain', 'completed', 'failed', 'cancelled')),
    CONSTRAINT jobs_step_known CHECK (step IN ('create', 'look_up')),
    CONSTRAINT jobs_decision_known CHECK (decision IN ('approved', 'declined', 'expired')),
    CONSTRAINT jobs_running_is_claimed CHECK (
        state <> 'running' OR (claim_token IS NOT NULL AND claimed_by IS NOT NULL AND claimed_at IS NOT NULL)),
    CONSTRAINT jobs_completed_has_provider_id CHECK (state <> 'completed' OR provider_id IS NOT NULL)
) WITH (
    fillfactor = 85, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05,
    autovacuum_vacuum_cost_delay = 0
);

-- The claim: one provider, one priority at a time, oldest due first.
CREATE INDEX jobs_claim_idx ON onboarding.jobs (provider, priority, run_at, id)
    WHERE state = 'available' AND NOT is_behind;
-- Calls in flight of a provider, and the jobs of a dead worker.
CREATE INDEX jobs_running_idx ON onboarding.jobs (provider, claimed_by) WHERE state = 'running';
CREATE UNIQUE INDEX jobs_idempotency_key_idx ON onboarding.jobs (idempotency_key);
CREATE UNIQUE INDEX jobs_unique_key_idx ON onboarding.jobs (kind, unique_key) WHERE unique_key IS NOT NULL;
CREATE INDEX jobs_after_idx ON onboarding.jobs (after_job_id) WHERE after_job_id IS NOT NULL;
CREATE INDEX jobs_order_idx ON onboarding.jobs (provider, order_key, id)
    WHERE order_key IS NOT NULL AND state IN ('blocked', 'available', 'running', 'waiting', 'uncertain');
-- Those behind, to find a key whose head has gone without telling.
CREATE INDEX jobs_behind_idx ON onboarding.jobs (provider, order_key, id)
    WHERE is_behind AND state IN ('blocked', 'available', 'running', 'waiting', 'uncertain');
-- The last line of "one at a time": two claims that race for one order key cannot both commit.
CREATE UNIQUE INDEX jobs_order_running_idx ON onboarding.jobs (provider, order_key)
    WHERE order_key IS NOT NULL AND state = 'running';
CREATE INDEX jobs_expiry_idx ON onboarding.jobs (expires_at)
    WHERE expires_at IS NOT NULL AND state = 'available' AND step = 'create';
CREATE INDEX jobs_finished_idx ON onboarding.jobs (finished_at, provider, state) WHERE finished_at IS NOT NULL;
CREATE INDEX jobs_attention_idx ON onboarding.jobs (state, id) WHERE state IN ('uncertain', 'failed', 'waiting');
CREATE INDEX jobs_blocked_idx ON onboarding.jobs (provider) WHERE state = 'blocked';
CREATE INDEX jobs_reference_idx ON onboarding.jobs (reference) WHERE reference IS NOT NULL;

-- The journal: one row an attempt, written when the attempt ends; `late` rows are what a
-- fenced-out worker brought afterwards.
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
    CONSTRAINT attempts_pkey PRIMARY KEY (job_id, claim_token, late)
) WITH (fillfactor = 100, autovacuum_vacuum_insert_scale_factor = 0.1);

-- State changes that are not the start or end of an attempt; the view `transitions` adds those.
CREATE TABLE onboarding.state_changes (
    id         bigint      GENERATED ALWAYS AS IDENTITY,
    job_id     bigint      NOT NULL,
    at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    from_state text        NOT NULL,
    to_state   text        NOT NULL,
    actor      text        NOT NULL,
    reason     text,
    -- The keys before and after, where a retry changed them.
    old_key    uuid,
    new_key    uuid,
    CONSTRAINT state_changes_pkey PRIMARY KEY (id)
);
CREATE INDEX state_changes_job_idx ON onboarding.state_changes (job_id, at);

-- Who did what to a provider, when and why.
CREATE TABLE onboarding.provider_events (
    id       bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    provider text        NOT NULL REFERENCES onboarding.providers (provider),
    at       timestamptz NOT NULL DEFAULT now(),
    actor    text        NOT NULL,
    event    text        NOT NULL,
    reason   text
);

-- One row a live process; its lease covers every job that it has claimed.
CREATE TABLE onboarding.worker_leases (
    id               text        PRIMARY KEY,
    host             text        NOT NULL,
    version          text        NOT NULL,
    started_at       timestamptz NOT NULL DEFAULT now(),
    last_seen_at     timestamptz NOT NULL DEFAULT now(),
    lease_expires_at timestamptz NOT NULL,
    in_flight        integer     NOT NULL DEFAULT 0,
    concurrency      integer     NOT NULL,
    draining         boolean     NOT NULL DEFAULT false,
    providers        text[]      NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200);

-- No illegal change of state, whoever writes. The condition costs no function call when it holds, and
-- a trigger that runs afterwards costs no lock of its own.
CREATE FUNCTION onboarding.refuse_illegal_transition() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'onboarding: job % cannot go from % to %', OLD.id, OLD.state, NEW.state
        USING ERRCODE = 'check_violation', COLUMN = 'state';
END;
$$;

CREATE TRIGGER jobs_legal_transition AFTER UPDATE OF state ON onboarding.jobs
FOR EACH ROW WHEN (
    OLD.state <> NEW.state AND NOT CASE OLD.state
        WHEN 'available' THEN NEW.state IN ('running', 'cancelled', 'failed')
        WHEN 'running' THEN NEW.state IN ('completed', 'available', 'waiting', 'uncertain', 'failed', 'cancelled')
        WHEN 'blocked' THEN NEW.state IN ('available', 'cancelled')
        WHEN 'waiting' THEN NEW.state IN ('running', 'completed', 'failed', 'cancelled')
        WHEN 'uncertain' THEN NEW.state IN ('completed', 'available', 'cancelled')
        WHEN 'failed' THEN NEW.state = 'available'
        WHEN 'cancelled' THEN NEW.state = 'available'
        ELSE false
    END)
EXECUTE FUNCTION onboarding.refuse_illegal_transition();
