-- A restored row of `migrations` replaces the one that is there.
CREATE TRIGGER migrations_take_restored BEFORE INSERT ON onboarding.migrations
FOR EACH ROW EXECUTE FUNCTION onboarding.take_restored_row('version');
