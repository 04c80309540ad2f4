-- Repairs what a restore of single tables, or of data alone, leaves behind.
-- No parameters.
-- Returns repair text: a sentence for each repair.
SELECT r.repair FROM onboarding.repair_restored() AS r (repair)
