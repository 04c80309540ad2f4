-- The jobs that failed, with the statement that runs each again.
-- Callers: operators and monitors.
CREATE OR REPLACE VIEW onboarding.failed_jobs AS
SELECT j.id AS job_id, j.kind, j.reference, j.finished_at AS failed_at, j.attempt, j.last_outcome, j.last_http_status,
    j.last_error AS reason, -- The same request would be refused again.
    format(CASE WHEN j.last_outcome IN ('rejected', 'invalid_payload')
        THEN 'SELECT onboarding.retry(%s, ''<why>'', payload => ''<corrected payload>'');'
        ELSE 'SELECT onboarding.retry(%s, ''<why>'');' END, j.id) AS statement
FROM onboarding.jobs j WHERE j.state = 'failed';
