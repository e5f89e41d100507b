-- Single sign-on, and reminders.

-- Whose account the subject of an OpenID provider is.
CREATE TABLE identities (
  issuer TEXT NOT NULL,
  subject TEXT NOT NULL,
  account_id TEXT NOT NULL REFERENCES accounts (id),
  created_ms BIGINT NOT NULL,
  PRIMARY KEY (issuer, subject)
);

-- The reminder before the start has been put into the outbox.
ALTER TABLE occurrences ADD COLUMN reminded BIGINT NOT NULL DEFAULT 0;

CREATE INDEX occurrences_by_start ON occurrences (reminded, start_ms);
