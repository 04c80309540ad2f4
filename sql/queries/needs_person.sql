-- What a person should look at: how many, and where. Nothing where all is well.
-- No parameters.
-- Returns what text, how many text, statement text.
SELECT n.what, n.many::text AS many, n.statement AS look_at
FROM (
    SELECT 'no worker is alive' AS what, 1 AS many, 'onboard work' AS statement
    WHERE NOT EXISTS (SELECT 1 FROM onboarding.workers)
    UNION ALL
    SELECT 'due jobs of ' || h.provider || ', which no live worker serves', h.due, 'SELECT * FROM onboarding.workers;'
    FROM onboarding.queue_health h
    WHERE h.due > 0 AND NOT EXISTS (SELECT 1 FROM onboarding.workers w WHERE h.provider = ANY (w.providers))
      AND EXISTS (SELECT 1 FROM onboarding.workers)
    UNION ALL
    SELECT 'uncertain jobs' AS what, count(*) AS many, 'SELECT * FROM onboarding.uncertain_jobs;' AS statement
    FROM onboarding.uncertain_jobs
    UNION ALL
    SELECT 'records that a provider has twice or two jobs share', count(*), 'SELECT * FROM onboarding.doubles;'
    FROM onboarding.doubles
    UNION ALL
    SELECT 'steps of maintenance that fail', count(*), 'SELECT * FROM onboarding.upkeep_failures;'
    FROM onboarding.upkeep_failures) n
WHERE n.many > 0
