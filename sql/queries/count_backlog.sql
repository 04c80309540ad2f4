-- Counts the jobs that wait where `queue_health` does not count them itself, at most once a minute.
SELECT onboarding.count_whole_backlog()
