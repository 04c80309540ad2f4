-- Counts ends that are recorded as state changes. A row that is older than its transaction comes from a dump: it was
-- counted when it was written.
CREATE TRIGGER state_changes_count_end AFTER INSERT ON onboarding.state_changes
FOR EACH ROW WHEN (NEW.to_state IN ('completed', 'failed') AND NEW.at >= now()) EXECUTE FUNCTION onboarding.count_end();
