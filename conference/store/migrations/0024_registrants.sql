-- Who has registered to watch a webinar (B7), and how long each has watched.
CREATE TABLE registrants (
  id TEXT PRIMARY KEY,
  meeting_id TEXT NOT NULL REFERENCES meetings (id),
  email TEXT NOT NULL,
  name TEXT NOT NULL,
  organisation TEXT NOT NULL,
  -- zh or en: what mails to them are written in.
  language TEXT NOT NULL,
  -- waiting, approved or denied.
  state TEXT NOT NULL,
  created_ms BIGINT NOT NULL,
  -- 0 until the page was there while it was live.
  first_ms BIGINT NOT NULL,
  last_ms BIGINT NOT NULL,
  watched_ms BIGINT NOT NULL,
  UNIQUE (meeting_id, email)
);
