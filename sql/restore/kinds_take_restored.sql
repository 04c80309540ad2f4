-- A restored row of `kinds` replaces the one that is there.
CREATE TRIGGER kinds_take_restored BEFORE INSERT ON onboarding.kinds
FOR EACH ROW EXECUTE FUNCTION onboarding.take_restored_row('kind');
