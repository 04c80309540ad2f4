-- Checks a new job and fills in the columns that callers do not write. A row that already has its `payload_bytes` comes
-- from a dump, since callers may not write that column and a new job has 0 there: it is kept exactly as it is, ended or
-- in doubt.
-- Callers: `jobs_check_new`.
-- Locks: none.
-- Errors: 23514 with the wrong field as COLUMN.
CREATE OR REPLACE FUNCTION onboarding.check_new_job() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    known record;
    lacks_parent boolean;
BEGIN
    IF NEW.payload_bytes > 0 THEN RETURN NEW; END IF;
    SELECT k.parent_kind, k.parent_parameter, k.fields INTO known FROM onboarding.kinds k WHERE k.kind = NEW.kind;
    IF NOT FOUND THEN
        PERFORM onboarding.refuse('kind', format('%L is not known; known are %s', NEW.kind,
            (SELECT string_agg(k.kind, ', ' ORDER BY k.kind) FROM onboarding.kinds k)));
    END IF;
    IF NEW.payload IS NULL OR jsonb_typeof(NEW.payload) <> 'object' THEN
        PERFORM onboarding.refuse('payload', 'must be a JSON object');
    END IF;
    PERFORM onboarding.check_payload(NEW.kind, known.fields, NEW.payload);
    IF NEW.parameters IS NULL OR jsonb_typeof(NEW.parameters) <> 'object' THEN
        PERFORM onboarding.refuse('parameters', 'must be a JSON object');
    END IF;
    IF NEW.parameters <> '{}' THEN PERFORM onboarding.check_parameters(NEW.parameters); END IF;
    lacks_parent := known.parent_kind IS NOT NULL AND NOT NEW.parameters ? known.parent_parameter;
    IF lacks_parent AND NEW.after_job_id IS NULL THEN
        PERFORM onboarding.refuse('parameters', format('lacks %s; give it, or name the %s job in after_job_id',
            known.parent_parameter, split_part(known.parent_kind, '.', 2)));
    END IF;
    IF NEW.idempotency_key IS NULL THEN NEW.idempotency_key := gen_random_uuid(); END IF;
    IF NEW.priority IS NULL OR NEW.priority NOT BETWEEN 0 AND 9 THEN
        PERFORM onboarding.refuse('priority', format('must be between 0 and 9, not %s', coalesce(NEW.priority::text, 'null')));
    END IF;
    IF NEW.run_at IS NULL OR NOT isfinite(NEW.run_at) THEN
        PERFORM onboarding.refuse('run_at', 'must be a moment in time, not null or infinity');
    END IF;
    IF NOT isfinite(NEW.expires_at) THEN
        PERFORM onboarding.refuse('expires_at', 'must be a moment in time or null, not infinity');
    END IF;
    IF NEW.expires_at <= NEW.run_at THEN
        PERFORM onboarding.refuse('expires_at', 'must be later than run_at');
    END IF;
    IF NEW.max_attempts IS NULL OR NEW.max_attempts NOT BETWEEN 1 AND 1000 THEN
        PERFORM onboarding.refuse('max_attempts', format('must be between 1 and 1000, not %s', coalesce(NEW.max_attempts::text, 'null')));
    END IF;
    IF NEW.follow IS NULL OR NEW.follow NOT IN ('created', 'decided') THEN
        PERFORM onboarding.refuse('follow', 'must be ''created'' or ''decided''');
    END IF;
    IF NEW.follow = 'decided' THEN
        PERFORM onboarding.refuse('follow', '''decided'' is not built yet: use ''created''');
    END IF;
    IF NEW.reference = '' OR length(NEW.reference) > 255 THEN PERFORM onboarding.refuse_length('reference', NEW.reference); END IF;
    IF NEW.unique_key = '' OR length(NEW.unique_key) > 255 THEN PERFORM onboarding.refuse_length('unique_key', NEW.unique_key); END IF;
    IF NEW.order_key = '' OR length(NEW.order_key) > 255 THEN PERFORM onboarding.refuse_length('order_key', NEW.order_key); END IF;
    IF NEW.traceparent !~ '^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$' THEN
        PERFORM onboarding.refuse('traceparent', 'must be a W3C trace context: 00-<32 hex>-<16 hex>-<2 hex>, lower case');
    END IF;
    NEW.payload_bytes := octet_length(NEW.payload::text);
    IF NEW.payload_bytes > 134217728 THEN
        PERFORM onboarding.refuse('payload', format('is %s bytes; at most 134217728 are taken', NEW.payload_bytes));
    END IF;
    NEW.state := 'available';
    IF NEW.after_job_id IS NOT NULL THEN
        NEW.state := onboarding.state_after_job(
            NEW.after_job_id, CASE WHEN lacks_parent THEN known.parent_kind END, known.parent_parameter);
    END IF;
    -- What is inserted at the same moment elsewhere is not seen here; the claim looks again.
    NEW.is_behind := NEW.order_key IS NOT NULL AND EXISTS (
        SELECT 1 FROM onboarding.jobs o
        WHERE o.provider = split_part(NEW.kind, '.', 1) AND o.order_key = NEW.order_key
          AND o.state IN ('blocked', 'available', 'running', 'waiting', 'uncertain'));
    RETURN NEW;
END;
$$;
