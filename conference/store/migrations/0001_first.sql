-- One text for SQLite and PostgreSQL: only TEXT and BIGINT. Ids are UUIDv7 as text; times are milliseconds since 1970
-- in UTC, in columns that end in _ms.

-- A customer of the server.
CREATE TABLE sites (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL
);

-- Who can log in.
CREATE TABLE accounts (
  id TEXT PRIMARY KEY,
  site_id TEXT NOT NULL REFERENCES sites (id),
  -- What is typed at the login (登录名), in lower case.
  name TEXT NOT NULL UNIQUE,
  display_name TEXT NOT NULL,
  -- argon2id, in PHC form.
  password_hash TEXT NOT NULL,
  -- 1 while the password is still the initial one (初始密码).
  initial_password BIGINT NOT NULL
);

-- Who is logged in. Only the token's SHA-256 is kept: who reads this table can't use it.
CREATE TABLE sessions (
  token_sha256 TEXT PRIMARY KEY,
  account_id TEXT NOT NULL REFERENCES accounts (id),
  expires_ms BIGINT NOT NULL
);

CREATE TABLE meetings (
  id TEXT PRIMARY KEY,
  owner_id TEXT NOT NULL REFERENCES accounts (id),
  -- What people key in: nine digits.
  number BIGINT NOT NULL UNIQUE,
  title TEXT NOT NULL,
  -- Six digits; empty where there is none.
  password TEXT NOT NULL,
  capacity BIGINT NOT NULL,
  created_ms BIGINT NOT NULL
);

CREATE INDEX meetings_by_owner ON meetings (owner_id, created_ms);
