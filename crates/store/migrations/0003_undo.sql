-- Runs that take an earlier run back, and the users a revert left other than Entra has them: a full run's look for drift passes over
-- those until something of theirs changes.

ALTER TABLE runs ADD COLUMN reverts BIGINT;
CREATE INDEX runs_reverts ON runs (reverts) WHERE reverts IS NOT NULL;

CREATE TABLE reverted (
    tenant_id BIGINT NOT NULL,
    user_id BIGINT NOT NULL,
    run_id BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, user_id)
) {NARROW};
