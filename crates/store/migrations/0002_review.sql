-- What a person decided about a review item, and runs about one user.

-- By kind of record, what was decided: kept until it is written, and to be read afterwards.
ALTER TABLE review_items ADD COLUMN resolution TEXT;
ALTER TABLE review_items ADD COLUMN decided_at BIGINT;
-- The run that writes the decision.
ALTER TABLE review_items ADD COLUMN run_id BIGINT;
CREATE INDEX review_items_state ON review_items (state, id);

CREATE TABLE review_decisions (
    id {ID},
    item_id BIGINT NOT NULL,
    at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    person_id BIGINT,
    run_id BIGINT
);
CREATE INDEX review_decisions_item ON review_decisions (item_id, id);

-- The one user a run is about; none: whoever is due.
ALTER TABLE runs ADD COLUMN user_id BIGINT;
