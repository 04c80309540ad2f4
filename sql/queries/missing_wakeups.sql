-- The statements that make the wake-up sequences of providers that have none: their workers would be woken by every commit.
-- No parameters.
-- Returns statement text, provider text.
SELECT format('CREATE SEQUENCE onboarding.%I', 'last_wakeup_' || p.provider) AS statement, p.provider
FROM onboarding.providers p
WHERE to_regclass(format('onboarding.%I', 'last_wakeup_' || p.provider)) IS NULL
ORDER BY p.provider;
