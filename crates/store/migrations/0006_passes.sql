-- What is read of users by passes of their own, outside the feeds.

CREATE TABLE sign_ins (
    user_id {KEY},
    tenant_id BIGINT NOT NULL,
    activity TEXT NOT NULL
);
CREATE INDEX sign_ins_tenant ON sign_ins (tenant_id);

-- When a pass was last completed.
CREATE TABLE passes (
    tenant_id BIGINT NOT NULL,
    pass TEXT NOT NULL,
    read_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, pass)
) {NARROW};
