-- A restored row of `sources` replaces the one that is there.
CREATE TRIGGER sources_take_restored BEFORE INSERT ON onboarding.sources
FOR EACH ROW EXECUTE FUNCTION onboarding.take_restored_row('name');
