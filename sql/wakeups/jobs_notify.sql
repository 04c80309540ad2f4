-- Wakes workers at the commit of a transaction that inserted jobs which can be claimed.
CREATE CONSTRAINT TRIGGER jobs_notify AFTER INSERT ON onboarding.jobs DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW WHEN (NEW.state = 'available' AND NOT NEW.is_behind AND NEW.run_at <= clock_timestamp())
EXECUTE FUNCTION onboarding.notify_jobs();
