-- The state of each provider and its queue.
-- Callers: operators and monitors; queries/needs_person.sql, queries/status.sql.
CREATE OR REPLACE VIEW onboarding.queue_health AS
SELECT q.*, coalesce(p.paused_until > now(), false) AS paused, p.circuit, p.circuit_reason,
    CASE WHEN onboarding.hold_end(p, clock_timestamp()) > now() THEN p.held_until END AS held_until,
    onboarding.learnt_rate(p, clock_timestamp()) AS adaptive_rate
FROM onboarding.queue_counts() q
JOIN onboarding.providers p ON p.provider = q.provider;
