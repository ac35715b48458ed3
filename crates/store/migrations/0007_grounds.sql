-- What a rejected removal hangs on beside attributes, presence and record: groups, licences, assignment, manager. Rejections from before
-- this column know nothing of it, and stand without it.
ALTER TABLE rejected ADD COLUMN grounds {BYTES};
