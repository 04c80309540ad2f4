-- Names the person for whom a program acts, where it says so. The condition costs workers no call.
CREATE TRIGGER provider_events_name_actor BEFORE INSERT ON onboarding.provider_events
FOR EACH ROW WHEN (current_setting('onboarding.actor', true) <> '') EXECUTE FUNCTION onboarding.name_actor();
