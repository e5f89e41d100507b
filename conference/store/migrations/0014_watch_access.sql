-- Who may watch a meeting's livestream and its recording (B5). Where there is no row: everyone who knows the address.
-- It outlives the meeting, as the recording does.
CREATE TABLE watch_access (
  meeting_id TEXT PRIMARY KEY,
  -- public, password, link or registered
  access TEXT NOT NULL,
  -- Empty where there is none.
  password TEXT NOT NULL,
  -- Hexadecimal. It signs the link and every viewer's pass: another one makes all earlier ones void.
  signing_key TEXT NOT NULL
);
