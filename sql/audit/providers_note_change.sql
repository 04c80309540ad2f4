-- Records changes of a provider's settings. Workers change other columns of these rows all the time: the condition costs
-- those no call.
CREATE TRIGGER providers_note_change AFTER UPDATE ON onboarding.providers
FOR EACH ROW WHEN (
    (OLD.max_in_flight, OLD.rate_per_second, OLD.burst, OLD.effect_horizon, OLD.paused_until, OLD.pause_reason)
    IS DISTINCT FROM
    (NEW.max_in_flight, NEW.rate_per_second, NEW.burst, NEW.effect_horizon, NEW.paused_until, NEW.pause_reason))
EXECUTE FUNCTION onboarding.note_setting_change(
    'provider', 'max_in_flight', 'rate_per_second', 'burst', 'effect_horizon', 'paused_until', 'pause_reason');
