-- The first schema. Portable words: ID a key the database counts up, BULK_ID a key given in blocks, KEY one given by us, BYTES bytes, NARROW a table
-- of small rows that is its own index. Booleans are 0 or 1, times are milliseconds since 1970, JSON is text.

-- Connections and tenants ---------------------------------------------------------------------------------------------------------

CREATE TABLE connections (
    id {ID},
    name TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    settings TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE tenants (
    id {ID},
    connection_id BIGINT NOT NULL,
    directory_id TEXT NOT NULL UNIQUE,
    domain TEXT NOT NULL,
    name TEXT NOT NULL,
    client_id BIGINT,
    enabled BIGINT NOT NULL,
    schedule_minutes BIGINT,
    next_run_at BIGINT,
    first_applied_run BIGINT,
    skus TEXT,
    skus_read_at BIGINT,
    touch_seq BIGINT NOT NULL DEFAULT 0,
    created_at BIGINT NOT NULL
);

CREATE TABLE leases (
    tenant_id {KEY},
    holder TEXT NOT NULL,
    fence BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    writes BIGINT NOT NULL DEFAULT 0
);

-- The mirror: what Entra last told -------------------------------------------------------------------------------------------------

CREATE TABLE feeds (
    tenant_id BIGINT NOT NULL,
    feed TEXT NOT NULL,
    cursor TEXT NOT NULL,
    round BIGINT NOT NULL,
    complete BIGINT NOT NULL,
    present BIGINT NOT NULL,
    mirror_before BIGINT NOT NULL,
    round_new BIGINT NOT NULL,
    absentees BIGINT NOT NULL,
    round_done_at BIGINT,
    selected TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (tenant_id, feed)
);

CREATE TABLE mirror_users (
    id {BULK_ID},
    tenant_id BIGINT NOT NULL,
    source_id TEXT NOT NULL,
    presence BIGINT NOT NULL,
    attributes TEXT NOT NULL,
    manager TEXT,
    upn_key TEXT,
    row_hash {BYTES} NOT NULL,
    change_hash {BYTES} NOT NULL,
    read_set BIGINT NOT NULL,
    first_round BIGINT NOT NULL,
    UNIQUE (tenant_id, source_id)
);
CREATE INDEX mirror_users_upn ON mirror_users (tenant_id, upn_key);

CREATE TABLE mirror_groups (
    id {BULK_ID},
    tenant_id BIGINT NOT NULL,
    source_id TEXT NOT NULL,
    name TEXT NOT NULL,
    created TEXT,
    present BIGINT NOT NULL,
    round BIGINT NOT NULL,
    UNIQUE (tenant_id, source_id)
);

CREATE TABLE memberships (
    member_id BIGINT NOT NULL,
    kind BIGINT NOT NULL,
    group_id BIGINT NOT NULL,
    round BIGINT NOT NULL,
    PRIMARY KEY (member_id, kind, group_id)
) {NARROW};
CREATE INDEX memberships_group ON memberships (group_id, kind);

CREATE TABLE edge_changes (
    id {ID},
    tenant_id BIGINT NOT NULL,
    group_id BIGINT NOT NULL,
    member_id BIGINT NOT NULL,
    kind BIGINT NOT NULL
);
CREATE INDEX edge_changes_tenant ON edge_changes (tenant_id);

CREATE TABLE seen (
    tenant_id BIGINT NOT NULL,
    user_id BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, user_id)
) {NARROW};

CREATE TABLE due (
    tenant_id BIGINT NOT NULL,
    user_id BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, user_id)
) {NARROW};

-- Records --------------------------------------------------------------------------------------------------------------------------

CREATE TABLE clients (
    id {ID},
    name TEXT NOT NULL,
    name_key TEXT NOT NULL UNIQUE,
    active BIGINT NOT NULL,
    target TEXT NOT NULL,
    remote_id TEXT,
    remote_version TEXT
);
CREATE UNIQUE INDEX clients_remote ON clients (target, remote_id) WHERE remote_id IS NOT NULL;

CREATE TABLE sites (
    id {ID},
    client_id BIGINT NOT NULL,
    name TEXT NOT NULL,
    name_key TEXT NOT NULL,
    target TEXT NOT NULL,
    remote_id TEXT,
    remote_version TEXT,
    UNIQUE (client_id, name_key)
);

CREATE TABLE people (
    id {BULK_ID},
    kind BIGINT NOT NULL,
    client_id BIGINT,
    site_id BIGINT,
    status BIGINT NOT NULL,
    access BIGINT NOT NULL,
    username TEXT,
    username_key TEXT,
    email TEXT,
    email_key TEXT,
    first_name TEXT,
    last_name TEXT,
    name_key TEXT NOT NULL,
    role TEXT,
    fields TEXT NOT NULL,
    root BIGINT NOT NULL,
    pinned TEXT,
    tickets BIGINT NOT NULL,
    invoices BIGINT NOT NULL,
    stands_for TEXT,
    target TEXT NOT NULL,
    remote_id TEXT,
    remote_version TEXT,
    version BIGINT NOT NULL,
    changed_by TEXT NOT NULL,
    changed_at BIGINT NOT NULL
);
CREATE INDEX people_email ON people (email_key) WHERE email_key IS NOT NULL;
CREATE INDEX people_username ON people (username_key) WHERE username_key IS NOT NULL;
CREATE INDEX people_name ON people (name_key, id);
CREATE INDEX people_client ON people (client_id);
CREATE UNIQUE INDEX people_remote ON people (target, remote_id) WHERE remote_id IS NOT NULL;

CREATE TABLE person_addresses (
    address_key TEXT NOT NULL,
    person_id BIGINT NOT NULL,
    PRIMARY KEY (address_key, person_id)
) {NARROW};
CREATE INDEX person_addresses_person ON person_addresses (person_id);

CREATE TABLE digests (
    id {ID},
    digest TEXT NOT NULL UNIQUE
);

-- slot is 0 for a live record, else the record's id: at most one live link per user and kind.
CREATE TABLE links (
    person_id {KEY},
    tenant_id BIGINT NOT NULL,
    user_id BIGINT NOT NULL,
    kind BIGINT NOT NULL,
    slot BIGINT NOT NULL,
    applied_hash {BYTES},
    digest_id BIGINT,
    rule TEXT,
    decided TEXT NOT NULL,
    out_by_sync BIGINT,
    out_cause TEXT,
    grace_since BIGINT,
    enabled_applied BIGINT,
    UNIQUE (user_id, kind, slot)
);
CREATE INDEX links_tenant ON links (tenant_id);

-- Deciding -------------------------------------------------------------------------------------------------------------------------

CREATE TABLE policies (
    id {ID},
    scope TEXT NOT NULL,
    version BIGINT NOT NULL,
    document TEXT NOT NULL,
    digest TEXT NOT NULL,
    author TEXT NOT NULL,
    saved_at BIGINT NOT NULL,
    UNIQUE (scope, version)
);

CREATE TABLE standing (
    user_id {KEY},
    tenant_id BIGINT NOT NULL,
    outcome TEXT NOT NULL,
    excluded_by TEXT,
    rule TEXT,
    digest_id BIGINT NOT NULL
);
CREATE INDEX standing_tenant ON standing (tenant_id, outcome, excluded_by, rule);

CREATE TABLE waits (
    user_id BIGINT NOT NULL,
    kind TEXT NOT NULL,
    wait_key TEXT NOT NULL,
    tenant_id BIGINT NOT NULL,
    PRIMARY KEY (user_id, kind, wait_key)
) {NARROW};
CREATE INDEX waits_key ON waits (kind, wait_key);

CREATE TABLE review_items (
    id {ID},
    tenant_id BIGINT NOT NULL,
    user_id BIGINT NOT NULL UNIQUE,
    state TEXT NOT NULL,
    why TEXT NOT NULL,
    rule TEXT,
    kind TEXT NOT NULL,
    candidates TEXT NOT NULL,
    evidence TEXT NOT NULL,
    other TEXT,
    opened_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    decided_by TEXT
);
CREATE INDEX review_items_tenant ON review_items (tenant_id, state);

-- Runs -----------------------------------------------------------------------------------------------------------------------------

CREATE TABLE runs (
    id {ID},
    tenant_id BIGINT NOT NULL,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    preview BIGINT NOT NULL,
    requested_by TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    started_at BIGINT,
    ended_at BIGINT,
    policy_version BIGINT,
    policy_digest TEXT,
    planned_seq BIGINT,
    planned_at BIGINT,
    plan_hash TEXT,
    holds TEXT,
    decided_by TEXT,
    decided_at BIGINT,
    error TEXT,
    stats TEXT,
    progress TEXT,
    weights TEXT,
    users BIGINT NOT NULL DEFAULT 0,
    unchanged BIGINT NOT NULL DEFAULT 0,
    excluded BIGINT NOT NULL DEFAULT 0,
    in_review BIGINT NOT NULL DEFAULT 0,
    failed_users BIGINT NOT NULL DEFAULT 0,
    last_seq BIGINT NOT NULL DEFAULT 0,
    applied_through BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX runs_tenant ON runs (tenant_id, id);
CREATE INDEX runs_state ON runs (state);

-- The plan and, with outcomes, the journal. id is run * 2^32 + seq, so that a plan is one stretch of the table.
CREATE TABLE changes (
    id {KEY},
    user_id BIGINT NOT NULL,
    person_id BIGINT,
    person_version BIGINT NOT NULL,
    verb TEXT NOT NULL,
    kind BIGINT NOT NULL,
    rule TEXT,
    removal BIGINT NOT NULL,
    returns BIGINT NOT NULL,
    rekey BIGINT NOT NULL,
    cause TEXT,
    sets_username BIGINT NOT NULL,
    manager_ref TEXT,
    unlink_user BIGINT,
    before_values TEXT NOT NULL,
    set_values TEXT NOT NULL,
    reasons TEXT NOT NULL,
    link_after TEXT,
    stands_for TEXT
);
CREATE INDEX changes_person ON changes (person_id) WHERE person_id IS NOT NULL;
CREATE INDEX changes_user ON changes (user_id);
CREATE INDEX changes_manager ON changes (id) WHERE manager_ref IS NOT NULL;

CREATE TABLE outcomes (
    change_id {KEY},
    person_id BIGINT,
    failed BIGINT NOT NULL,
    error TEXT,
    at BIGINT NOT NULL
);
CREATE INDEX outcomes_person ON outcomes (person_id);
CREATE INDEX outcomes_failed ON outcomes (change_id) WHERE failed = 1;

CREATE TABLE bookings (
    id {KEY},
    person_id BIGINT NOT NULL,
    user_id BIGINT NOT NULL,
    link_after TEXT NOT NULL
);

-- How each user of a run's first pass was counted, so that deciding again does not count twice.
CREATE TABLE decided (
    run_id BIGINT NOT NULL,
    user_id BIGINT NOT NULL,
    counted BIGINT NOT NULL,
    PRIMARY KEY (run_id, user_id)
) {NARROW};

-- The groups the rules named when a plan was last applied, and whether anybody was in them (ruling 83).
CREATE TABLE rule_groups (
    tenant_id BIGINT NOT NULL,
    rule TEXT NOT NULL,
    named TEXT NOT NULL,
    group_id BIGINT NOT NULL,
    peopled BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, rule, named, group_id)
) {NARROW};

-- Removals a person rejected, with the inputs they were planned from (ruling 111).
CREATE TABLE rejected (
    tenant_id BIGINT NOT NULL,
    user_id BIGINT NOT NULL,
    person_id BIGINT NOT NULL,
    person_version BIGINT NOT NULL,
    change_hash {BYTES} NOT NULL,
    presence BIGINT NOT NULL,
    policy_digest TEXT NOT NULL,
    PRIMARY KEY (tenant_id, person_id)
) {NARROW};

CREATE TABLE reports (
    id {KEY},
    user_id BIGINT NOT NULL,
    field TEXT,
    why TEXT NOT NULL,
    detail TEXT NOT NULL
);

CREATE TABLE removals (
    id {ID},
    tenant_id BIGINT NOT NULL,
    person_id BIGINT NOT NULL,
    at BIGINT NOT NULL,
    run_id BIGINT NOT NULL,
    approved BIGINT NOT NULL,
    undone BIGINT NOT NULL
);
CREATE INDEX removals_tenant ON removals (tenant_id, at);
CREATE INDEX removals_person ON removals (person_id);

-- Secrets, people who sign in, and what they did -----------------------------------------------------------------------------------

CREATE TABLE data_keys (
    id {ID},
    scope TEXT NOT NULL,
    master_key_id TEXT NOT NULL,
    nonce {BYTES} NOT NULL,
    wrapped {BYTES} NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX data_keys_scope ON data_keys (scope);

CREATE TABLE secrets (
    scope TEXT NOT NULL,
    name TEXT NOT NULL,
    data_key_id BIGINT NOT NULL,
    nonce {BYTES} NOT NULL,
    sealed {BYTES} NOT NULL,
    changed_at BIGINT NOT NULL,
    PRIMARY KEY (scope, name)
);

CREATE TABLE accounts (
    id {ID},
    name TEXT NOT NULL,
    name_key TEXT NOT NULL UNIQUE,
    password_hash TEXT,
    role TEXT NOT NULL,
    enabled BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE sessions (
    token_hash {BYTES} PRIMARY KEY,
    account_id BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    used_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE TABLE sign_in_links (
    token_hash {BYTES} PRIMARY KEY,
    account_id BIGINT,
    expires_at BIGINT NOT NULL
);

CREATE TABLE api_tokens (
    id {ID},
    name TEXT NOT NULL UNIQUE,
    token_hash {BYTES} NOT NULL UNIQUE,
    scopes TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    used_at BIGINT
);

CREATE TABLE audit (
    id {ID},
    at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail TEXT NOT NULL
);
