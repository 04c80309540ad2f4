-- Looks after history and retention, unless another worker is at it or was a moment ago: then the columns are null.
-- $1 jobs to delete at most integer
-- Returns partitions_made integer, partitions_dropped integer, jobs_deleted integer.
SELECT m.partitions_made, m.partitions_dropped, m.jobs_deleted FROM onboarding.maintain($1::integer) AS m
