-- A restored row of `providers` replaces the one that is there.
CREATE TRIGGER providers_take_restored BEFORE INSERT ON onboarding.providers
FOR EACH ROW EXECUTE FUNCTION onboarding.take_restored_row('provider');
