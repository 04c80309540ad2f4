-- The jobs that wait for a person's verdict, with the statement that gives it.
-- Callers: operators and monitors; queries/needs_person.sql.
CREATE OR REPLACE VIEW onboarding.uncertain_jobs AS
SELECT j.id AS job_id, j.kind, j.reference, j.updated_at AS since, j.attempt, j.last_outcome, j.last_http_status,
    j.last_error AS reason,
    format('SELECT onboarding.resolve(%s, ''happened'', ''<id at the provider>'', ''<who looked where>''); -- or: SELECT onboarding.resolve(%s, ''did_not_happen'', note => ''<who looked where>'');',
        j.id, j.id) AS statement
FROM onboarding.jobs j WHERE j.state = 'uncertain';
