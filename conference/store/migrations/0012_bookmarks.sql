-- Pages that somebody shares often (C20, 书签).
CREATE TABLE bookmarks (
  -- UUIDv7.
  id TEXT PRIMARY KEY,
  account_id TEXT NOT NULL REFERENCES accounts (id),
  name TEXT NOT NULL,
  url TEXT NOT NULL
);

CREATE INDEX bookmarks_by_account ON bookmarks (account_id, id);
