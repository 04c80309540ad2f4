-- Who did what, when and why: changes of settings, and what was done to providers and jobs except by attempts of workers.
-- Callers: operators and monitors.
CREATE OR REPLACE VIEW onboarding.audit AS
SELECT c.at, c.actor, 'changed' AS action, c.relation || coalesce(' ' || c.object, '') AS object, NULL::text AS reason,
    c.old_values, c.new_values
FROM onboarding.setting_changes c
UNION ALL
SELECT e.at, e.actor, e.event, 'providers ' || e.provider, e.reason, NULL, NULL
FROM onboarding.provider_events e
UNION ALL
SELECT s.at, s.actor, s.from_state || ' to ' || s.to_state, 'jobs ' || s.job_id, s.reason, NULL, NULL
FROM onboarding.state_changes s;
