-- Every change of state of one job, oldest first.
-- $1 job bigint
-- Returns text columns.
SELECT to_char(t.at, 'YYYY-MM-DD HH24:MI:SS.MS') AS at, coalesce(t.from_state, '') AS from_state, t.to_state, coalesce(t.actor, '') AS actor,
    coalesce(t.reason, '') AS reason
FROM onboarding.transitions t
WHERE t.job_id = $1::bigint
ORDER BY t.at, t.from_state IS NOT NULL, t.from_state = 'running'
