-- Upkeep that goes on when a part of it fails, and settings that say who changed them.

-- The steps of `maintain` that fail, since when and why.
CREATE TABLE onboarding.upkeep_failures (
    step text PRIMARY KEY,
    since timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    code text NOT NULL,
    problem text NOT NULL
);
GRANT SELECT ON onboarding.upkeep_failures TO onboarding_operator, onboarding_monitor, onboarding_worker;

-- Where the next look for finished jobs of a kind goes on; no row: at the oldest.
CREATE TABLE onboarding.retention_places (
    kind text PRIMARY KEY REFERENCES onboarding.kinds (kind) ON DELETE CASCADE,
    finished_at timestamptz NOT NULL,
    job_id bigint NOT NULL
);

-- What lies in the partitions for the rest is looked for by its time: to move it and to let it go.
CREATE INDEX attempts_rest_claimed_at_idx ON onboarding.attempts_rest (claimed_at);
CREATE INDEX state_changes_rest_at_idx ON onboarding.state_changes_rest (at);

-- Tables without a key. Where a publication names them, a row that is deleted has to be told apart.
ALTER TABLE onboarding.ended REPLICA IDENTITY FULL;
ALTER TABLE onboarding.unsettled_ends REPLICA IDENTITY FULL;

-- Rights are given by grants alone. Where an event trigger switches row security on for new tables, without a policy, nobody
-- but the owner would see or insert a row.
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

INSERT INTO onboarding.migrations (version, name) VALUES (21, 'upkeep');
