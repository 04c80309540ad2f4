-- Allows legal changes of state only. The condition calls no function when it holds, and a trigger that runs afterwards
-- costs no lock of its own.
CREATE TRIGGER jobs_legal_transition AFTER UPDATE OF state ON onboarding.jobs
FOR EACH ROW WHEN (
    OLD.state <> NEW.state AND NOT CASE OLD.state
        WHEN 'available' THEN NEW.state IN ('running', 'cancelled', 'failed')
        WHEN 'running' THEN NEW.state IN ('completed', 'available', 'waiting', 'uncertain', 'failed', 'cancelled')
        WHEN 'blocked' THEN NEW.state IN ('available', 'cancelled')
        WHEN 'waiting' THEN NEW.state IN ('running', 'completed', 'failed', 'cancelled')
        WHEN 'uncertain' THEN NEW.state IN ('completed', 'available', 'cancelled')
        WHEN 'failed' THEN NEW.state = 'available'
        -- What was cancelled with the job that it waits for waits again when that one is retried.
        WHEN 'cancelled' THEN NEW.state IN ('available', 'blocked')
        ELSE false
    END)
EXECUTE FUNCTION onboarding.refuse_illegal_transition();
