-- What a person decided about a review item, and the run that writes it.

-- By kind of record, what was decided.
ALTER TABLE review_items ADD COLUMN resolution TEXT;
ALTER TABLE review_items ADD COLUMN decided_at BIGINT;
ALTER TABLE review_items ADD COLUMN run_id BIGINT;
CREATE INDEX review_items_state ON review_items (state, id);
CREATE INDEX review_items_run ON review_items (run_id) WHERE run_id IS NOT NULL;

-- Who decided what about an item, and when: appended, never changed.
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
