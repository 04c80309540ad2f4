-- Brings the rows of providers and kinds in line with the program's definitions. What operators change is written into new rows
-- alone. An INSERT over a row that is there would replace it (`take_restored_row`), so rows are looked for first.
-- $1 providers jsonb, $2 kinds jsonb (arrays of objects with the names that the statement reads)
-- Returns kind text, of each row that was written.
WITH given AS (
    SELECT * FROM jsonb_to_recordset($1) AS g (
        provider text, max_in_flight integer, rate_per_second double precision, burst integer, effect_horizon_s double precision,
        is_on_trial boolean)
), provider AS (
    -- As of the installation: nobody has touched them (`repair_restored`).
    INSERT INTO onboarding.providers (provider, max_in_flight, rate_per_second, burst, effect_horizon, call_window, updated_at)
    SELECT g.provider, g.max_in_flight, g.rate_per_second, g.burst, make_interval(secs => g.effect_horizon_s),
        CASE WHEN g.is_on_trial THEN 4 END, (SELECT m.applied_at FROM onboarding.migrations m WHERE m.version = 1)
    FROM given g WHERE NOT EXISTS (SELECT FROM onboarding.providers p WHERE p.provider = g.provider)
), trial AS (
    UPDATE onboarding.providers p SET call_window = CASE WHEN g.is_on_trial THEN 4 END
    FROM given g WHERE p.provider = g.provider AND (p.call_window IS NOT NULL) <> g.is_on_trial
), kind AS (
    SELECT * FROM jsonb_to_recordset($2) AS k (
        kind text, provider text, fields jsonb, lost_answer text, id_pattern text, parameters text[], parent_kind text,
        parent_parameter text)
), changed AS (
    UPDATE onboarding.kinds r
    SET fields = k.fields, lost_answer = k.lost_answer, id_pattern = k.id_pattern, parameters = k.parameters,
        parent_kind = k.parent_kind, parent_parameter = k.parent_parameter
    FROM kind k
    WHERE r.kind = k.kind
        AND (r.fields, r.lost_answer, r.id_pattern, r.parameters, r.parent_kind, r.parent_parameter)
            IS DISTINCT FROM (k.fields, k.lost_answer, k.id_pattern, k.parameters, k.parent_kind, k.parent_parameter)
    RETURNING r.kind
), made AS (
    INSERT INTO onboarding.kinds (kind, provider, fields, lost_answer, id_pattern, parameters, parent_kind, parent_parameter)
    SELECT k.* FROM kind k WHERE NOT EXISTS (SELECT FROM onboarding.kinds r WHERE r.kind = k.kind)
    RETURNING kind
)
SELECT c.kind FROM changed c UNION ALL SELECT m.kind FROM made m;
