-- What workers that had lost their jobs brought of their own records. A record that another job has proves nothing
-- about this one: a person looks.
-- Callers: `claim`, `settle_late_successes`.
CREATE OR REPLACE VIEW onboarding.evidence AS
SELECT l.* FROM onboarding.late_successes l
WHERE NOT EXISTS (
    SELECT 1 FROM onboarding.jobs o
    WHERE o.provider_id = l.provider_id AND o.id <> l.job_id
      AND o.provider = (SELECT j.provider FROM onboarding.jobs j WHERE j.id = l.job_id));
