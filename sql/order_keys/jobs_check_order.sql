-- Looks again at the commit whether a new job is still behind another of its order key. A row that is older than its
-- transaction comes from a dump, which also has what became of it.
CREATE CONSTRAINT TRIGGER jobs_check_order AFTER INSERT ON onboarding.jobs
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.is_behind AND NEW.created_at >= now()) EXECUTE FUNCTION onboarding.check_order();
