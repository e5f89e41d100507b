-- Browsers' stays in a meeting are written down as telephones' calls are.
-- phone or web.
ALTER TABLE calls ADD COLUMN kind TEXT NOT NULL DEFAULT 'phone';
-- Who it was in the meeting; empty where the call reached none.
ALTER TABLE calls ADD COLUMN participant_id TEXT NOT NULL DEFAULT '';
-- How a browser's participant called himself; telephones have numbers.
ALTER TABLE calls ADD COLUMN name TEXT NOT NULL DEFAULT '';
-- Echo return loss in decibels of a telephone that gave back what it was sent; negative where none was found.
ALTER TABLE calls ADD COLUMN echo_db DOUBLE PRECISION NOT NULL DEFAULT -1;
-- no_packets or silent where a telephone that was spoken to was not heard; empty where it was.
ALTER TABLE calls ADD COLUMN one_way TEXT NOT NULL DEFAULT '';
