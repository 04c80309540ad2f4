-- The journal of one job, oldest first.
-- $1 job bigint
-- Returns text columns.
-- Index: attempts_pkey
SELECT to_char(a.claimed_at, 'HH24:MI:SS.MS') AS claimed, coalesce(to_char(a.sent_at, 'HH24:MI:SS.MS'), '') AS sent,
    to_char(a.finished_at, 'HH24:MI:SS.MS') AS finished, a.attempt::text, a.step,
    a.outcome || CASE WHEN a.late THEN ' (late)' ELSE '' END AS outcome, coalesce(a.http_status::text, '') AS http,
    coalesce(a.next_state, '') AS next, coalesce(a.reason, '') AS reason, coalesce(a.error, '') AS error,
    coalesce(a.request_id, '') AS request_id, a.worker
FROM onboarding.attempts a
WHERE a.job_id = $1::bigint
ORDER BY a.finished_at, a.claim_token
