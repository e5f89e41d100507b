-- One time of a series may be held otherwise than the rest (S5).

-- Its own topic; empty: the series'.
ALTER TABLE occurrences ADD COLUMN title TEXT NOT NULL DEFAULT '';
-- What else was agreed on for it, as a JSON object; empty: as the series has it.
ALTER TABLE occurrences ADD COLUMN own TEXT NOT NULL DEFAULT '';
