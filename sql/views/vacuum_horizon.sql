-- What holds the oldest snapshot (`snapshot_holders`).
-- Callers: operators and monitors.
CREATE OR REPLACE VIEW onboarding.vacuum_horizon AS
SELECT h.holder, h.name, h.owner, h.state, h.since, h.age FROM onboarding.snapshot_holders() h;
