-- What an encoder comes into a meeting by (B9, RFC 9725): one for each meeting, and no more than its hash.
CREATE TABLE encoder_tokens (
  meeting_id TEXT PRIMARY KEY REFERENCES meetings (id),
  -- As the others in the meeting see it.
  name TEXT NOT NULL,
  token_sha256 TEXT NOT NULL,
  created_ms BIGINT NOT NULL
);
