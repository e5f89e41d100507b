-- Sites with their capacity, accounts with their modes and roles, bookings with their occurrences, and what is sent
-- out. Flags are 0 or 1.

-- The site's ports (并发), for concurrent accounts.
ALTER TABLE sites ADD COLUMN ports BIGINT NOT NULL DEFAULT 0;
-- Bookings may have a livestream (互动直播).
ALTER TABLE sites ADD COLUMN livestream BIGINT NOT NULL DEFAULT 0;
-- IANA zone of those who don't say.
ALTER TABLE sites ADD COLUMN zone TEXT NOT NULL DEFAULT 'Asia/Shanghai';
-- Raised by whoever books, before he looks what is free: so that two who book at once do it one after the other.
ALTER TABLE sites ADD COLUMN ledger BIGINT NOT NULL DEFAULT 0;

-- member, administrator or operator.
ALTER TABLE accounts ADD COLUMN role TEXT NOT NULL DEFAULT 'member';
-- dedicated, shared or concurrent.
ALTER TABLE accounts ADD COLUMN mode TEXT NOT NULL DEFAULT 'dedicated';
-- The most participants of a dedicated account's own room.
ALTER TABLE accounts ADD COLUMN capacity BIGINT NOT NULL DEFAULT 100;
ALTER TABLE accounts ADD COLUMN email TEXT NOT NULL DEFAULT '';
ALTER TABLE accounts ADD COLUMN mobile TEXT NOT NULL DEFAULT '';
-- A data: URL of a small picture; empty where there is none.
ALTER TABLE accounts ADD COLUMN avatar TEXT NOT NULL DEFAULT '';
-- May not log in.
ALTER TABLE accounts ADD COLUMN disabled BIGINT NOT NULL DEFAULT 0;
-- Raised by each change.
ALTER TABLE accounts ADD COLUMN version BIGINT NOT NULL DEFAULT 1;

CREATE INDEX accounts_by_site ON accounts (site_id, id);

-- Shared rooms (共享会议室).
CREATE TABLE rooms (
  id TEXT PRIMARY KEY,
  site_id TEXT NOT NULL REFERENCES sites (id),
  name TEXT NOT NULL,
  capacity BIGINT NOT NULL
);

CREATE INDEX rooms_by_site ON rooms (site_id, capacity);

ALTER TABLE meetings ADD COLUMN site_id TEXT NOT NULL DEFAULT '';
-- As the owner's was when it was booked.
ALTER TABLE meetings ADD COLUMN mode TEXT NOT NULL DEFAULT 'dedicated';
-- The shared room; empty where there is none.
ALTER TABLE meetings ADD COLUMN room_id TEXT NOT NULL DEFAULT '';
-- S1, as a JSON object.
ALTER TABLE meetings ADD COLUMN options TEXT NOT NULL DEFAULT '{}';
ALTER TABLE meetings ADD COLUMN zone TEXT NOT NULL DEFAULT 'Asia/Shanghai';
-- The value of an RRULE property (RFC 5545 §3.8.5.3); empty where it is held once.
ALTER TABLE meetings ADD COLUMN recurrence TEXT NOT NULL DEFAULT '';
ALTER TABLE meetings ADD COLUMN start_ms BIGINT NOT NULL DEFAULT 0;
ALTER TABLE meetings ADD COLUMN duration_min BIGINT NOT NULL DEFAULT 60;
ALTER TABLE meetings ADD COLUMN early_start_min BIGINT NOT NULL DEFAULT 0;
-- The one that has a dedicated account's personal number (PMI) and never ends.
ALTER TABLE meetings ADD COLUMN personal BIGINT NOT NULL DEFAULT 0;
-- 0 while it stands.
ALTER TABLE meetings ADD COLUMN deleted_ms BIGINT NOT NULL DEFAULT 0;
ALTER TABLE meetings ADD COLUMN version BIGINT NOT NULL DEFAULT 1;

UPDATE meetings SET site_id = (SELECT site_id FROM accounts WHERE accounts.id = meetings.owner_id),
  start_ms = created_ms, personal = 1;

-- Each time a meeting is held, and what it takes of its site then: the ledger.
CREATE TABLE occurrences (
  meeting_id TEXT NOT NULL REFERENCES meetings (id),
  -- The start by the rule: it names the occurrence (RECURRENCE-ID, RFC 5545 §3.8.4.4).
  original_ms BIGINT NOT NULL,
  owner_id TEXT NOT NULL REFERENCES accounts (id),
  site_id TEXT NOT NULL REFERENCES sites (id),
  start_ms BIGINT NOT NULL,
  -- With the early start, and with extensions: never more than 25 hours apart.
  from_ms BIGINT NOT NULL,
  until_ms BIGINT NOT NULL,
  room_id TEXT NOT NULL,
  ports BIGINT NOT NULL,
  PRIMARY KEY (meeting_id, original_ms)
);

CREATE INDEX occurrences_by_site ON occurrences (site_id, until_ms);
CREATE INDEX occurrences_by_owner ON occurrences (owner_id, start_ms);

-- Who was invited by what, to be told of changes.
CREATE TABLE invitations (
  id TEXT PRIMARY KEY,
  meeting_id TEXT NOT NULL REFERENCES meetings (id),
  -- email or sms.
  kind TEXT NOT NULL,
  address TEXT NOT NULL,
  -- zh or en.
  language TEXT NOT NULL,
  -- SEQUENCE of RFC 5545 §3.8.7.4 that was last sent.
  sequence BIGINT NOT NULL,
  created_ms BIGINT NOT NULL
);

CREATE INDEX invitations_by_meeting ON invitations (meeting_id, id);

-- What is to be sent, until it is: mail, short messages, webhooks. Written in the transaction that causes it.
CREATE TABLE outbox (
  id TEXT PRIMARY KEY,
  -- email, sms or webhook.
  kind TEXT NOT NULL,
  -- JSON: all that is needed to send it.
  message TEXT NOT NULL,
  attempts BIGINT NOT NULL,
  -- Not before; put off while somebody is at it.
  due_ms BIGINT NOT NULL,
  created_ms BIGINT NOT NULL,
  -- Why the last attempt failed.
  error TEXT NOT NULL
);

CREATE INDEX outbox_by_time ON outbox (due_ms);

-- Who gets events of a site.
CREATE TABLE webhooks (
  id TEXT PRIMARY KEY,
  site_id TEXT NOT NULL REFERENCES sites (id),
  url TEXT NOT NULL,
  -- Signs what is sent (HMAC-SHA256); hexadecimal.
  secret TEXT NOT NULL,
  -- Names of events, separated by spaces; empty: all.
  events TEXT NOT NULL,
  created_ms BIGINT NOT NULL
);

CREATE INDEX webhooks_by_site ON webhooks (site_id, id);

-- Forgotten passwords: what was sent out, as SHA-256.
CREATE TABLE password_resets (
  token_sha256 TEXT PRIMARY KEY,
  account_id TEXT NOT NULL REFERENCES accounts (id),
  expires_ms BIGINT NOT NULL,
  -- Wrong codes so far.
  tries BIGINT NOT NULL
);

-- What hosts and administrators did.
CREATE TABLE audit (
  id TEXT PRIMARY KEY,
  site_id TEXT NOT NULL,
  at_ms BIGINT NOT NULL,
  -- Who; empty: the server itself.
  account_id TEXT NOT NULL,
  action TEXT NOT NULL,
  -- To what: kind and id.
  object TEXT NOT NULL
);

CREATE INDEX audit_by_site ON audit (site_id, id);

-- Answers kept for repeated requests (Idempotency-Key).
CREATE TABLE idempotency (
  account_id TEXT NOT NULL,
  key TEXT NOT NULL,
  -- SHA-256 of the request.
  request_sha256 TEXT NOT NULL,
  status BIGINT NOT NULL,
  body TEXT NOT NULL,
  created_ms BIGINT NOT NULL,
  PRIMARY KEY (account_id, key)
);

-- Keys of the server's own, made at its first start.
CREATE TABLE secrets (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
);
