-- Records a migration that has run.
-- $1 version integer, $2 name text, $3 is_breaking boolean.
INSERT INTO onboarding.migrations (version, name, is_breaking) VALUES ($1::integer, $2::text, $3::boolean)
