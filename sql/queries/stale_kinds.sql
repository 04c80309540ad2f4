-- Kinds whose rows are missing, or are not what the program's definitions say.
-- $1 kinds jsonb (as for write_kinds)
-- Returns kind text, is_missing boolean.
SELECT k.kind, r.kind IS NULL AS is_missing
FROM jsonb_to_recordset($1) AS k (
    kind text, provider text, fields jsonb, lost_answer text, id_pattern text, parameters text[], parent_kind text,
    parent_parameter text)
LEFT JOIN onboarding.kinds r ON r.kind = k.kind
WHERE (r.fields, r.lost_answer, r.id_pattern, r.parameters, r.parent_kind, r.parent_parameter)
    IS DISTINCT FROM (k.fields, k.lost_answer, k.id_pattern, k.parameters, k.parent_kind, k.parent_parameter)
ORDER BY k.kind;
