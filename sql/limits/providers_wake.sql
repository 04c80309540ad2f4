-- Tells workers of changed limits and pauses, whoever changes them.
CREATE TRIGGER providers_wake AFTER UPDATE ON onboarding.providers
FOR EACH ROW WHEN (
    (OLD.max_in_flight, OLD.rate_per_second, OLD.burst, OLD.paused_until)
    IS DISTINCT FROM (NEW.max_in_flight, NEW.rate_per_second, NEW.burst, NEW.paused_until))
EXECUTE FUNCTION onboarding.wake_for_setting();
