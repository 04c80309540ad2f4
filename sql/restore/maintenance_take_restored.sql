-- A restored row of `maintenance` replaces the one that is there.
CREATE TRIGGER maintenance_take_restored BEFORE INSERT ON onboarding.maintenance
FOR EACH ROW EXECUTE FUNCTION onboarding.take_restored_row('is_only_row');
