-- Names the person for whom a program acts, where it says so. The condition costs workers no call.
CREATE TRIGGER state_changes_name_actor BEFORE INSERT ON onboarding.state_changes
FOR EACH ROW WHEN (current_setting('onboarding.actor', true) <> '') EXECUTE FUNCTION onboarding.name_actor();
