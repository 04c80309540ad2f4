-- Writes that requests may have been sent, before they are.
-- $1 worker text, $2 job bigint[], $3 token bigint[], $4 SHA-256 of the request bytea[]
-- Returns token bigint: the claims that still hold; no other may be sent.
-- Index: jobs_pkey
SELECT m.token
FROM onboarding.mark_sent($1::text, $2::bigint[], $3::bigint[], $4::bytea[]) AS m (token)
