-- Limits and state of the providers.
-- No parameters.
-- Returns text columns.
SELECT p.provider, coalesce(p.max_in_flight::text, '-') AS max_in_flight, coalesce(p.rate_per_second::text, '-') AS rate_per_second,
    coalesce(p.burst::text, '-') AS burst, CASE WHEN p.paused_until > now() THEN p.paused_until::text ELSE '' END AS paused_until,
    coalesce(p.pause_reason, '') AS pause_reason, CASE WHEN onboarding.hold_end(p, clock_timestamp()) > now() THEN p.held_until::text ELSE '' END AS held_until,
    coalesce(round(onboarding.learnt_rate(p, clock_timestamp())::numeric, 2)::text, '-') AS adaptive_rate, p.circuit, coalesce(p.circuit_reason, '') AS circuit_reason
FROM onboarding.providers p
ORDER BY p.provider
