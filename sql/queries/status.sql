-- The state of the queue, a row a provider.
-- No parameters.
-- Returns the columns of the view queue_health as text.
SELECT h.provider, h.due::text, h.scheduled::text, h.running::text, h.waiting::text, h.uncertain::text, h.blocked::text,
    h.completed_last_hour::text AS completed_1h, h.failed_last_hour::text AS failed_1h,
    coalesce(round(h.oldest_due_age_seconds)::text, '') AS oldest_due_s, CASE WHEN h.paused THEN 'yes' ELSE 'no' END AS paused, h.circuit
FROM onboarding.queue_health h
ORDER BY h.provider
