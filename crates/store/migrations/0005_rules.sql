-- What rules, fields and matching keys need: sites made with a change, records found by any field, and who is assigned to our application.

-- The site to find or make when the change is applied, as {"client", "name"}.
ALTER TABLE changes ADD COLUMN new_site TEXT;

-- Fields that some policy matches by: only their values are kept in person_keys.
CREATE TABLE key_fields (
    field TEXT PRIMARY KEY
);

CREATE TABLE person_keys (
    field TEXT NOT NULL,
    value_key TEXT NOT NULL,
    person_id BIGINT NOT NULL,
    PRIMARY KEY (field, value_key, person_id)
) {NARROW};
CREATE INDEX person_keys_person ON person_keys (person_id);

-- Users assigned to our enterprise application, as last read.
CREATE TABLE app_assigned (
    user_id {KEY},
    tenant_id BIGINT NOT NULL
);
CREATE INDEX app_assigned_tenant ON app_assigned (tenant_id);
