-- Records changes of how long the history is kept; `maintain` changes the other columns.
CREATE TRIGGER maintenance_note_change AFTER UPDATE ON onboarding.maintenance
FOR EACH ROW WHEN (OLD.keep_history IS DISTINCT FROM NEW.keep_history)
EXECUTE FUNCTION onboarding.note_setting_change('none', 'keep_history');
