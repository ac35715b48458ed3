-- What the limits over all tenants look at.

-- Plans that the guard held, of a tenant (fleet = 0) or because of the fleet (fleet = 1); a day of them is kept.
CREATE TABLE trips (
    run_id BIGINT NOT NULL,
    fleet BIGINT NOT NULL,
    tenant_id BIGINT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (run_id, fleet)
);
CREATE INDEX trips_at ON trips (at);
CREATE INDEX removals_at ON removals (at);
