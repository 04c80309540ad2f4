-- Records changes of a kind.
CREATE TRIGGER kinds_note_change AFTER UPDATE ON onboarding.kinds
FOR EACH ROW WHEN (OLD IS DISTINCT FROM NEW) EXECUTE FUNCTION onboarding.note_setting_change('kind');
