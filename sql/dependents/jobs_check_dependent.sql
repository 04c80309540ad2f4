-- Looks again at the commit whether the job that a new one waits for has ended. A row that is older than its
-- transaction comes from a dump, which also has what became of it.
CREATE CONSTRAINT TRIGGER jobs_check_dependent AFTER INSERT ON onboarding.jobs
DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW WHEN (NEW.state = 'blocked' AND NEW.created_at >= now()) EXECUTE FUNCTION onboarding.check_dependent();
