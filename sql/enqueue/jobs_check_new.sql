-- Checks each new job before it is written.
CREATE TRIGGER jobs_check_new BEFORE INSERT ON onboarding.jobs
FOR EACH ROW EXECUTE FUNCTION onboarding.check_new_job();
