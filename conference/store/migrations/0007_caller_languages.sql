-- The language a caller chose last (P1), so that he is greeted in it.
CREATE TABLE caller_languages (
  -- HMAC-SHA256 of his number under a key of the server's own: nobody's number stands here.
  caller_hmac TEXT PRIMARY KEY,
  -- A tag as of RFC 5646.
  language TEXT NOT NULL,
  chosen_ms BIGINT NOT NULL
);

CREATE INDEX caller_languages_by_time ON caller_languages (chosen_ms);
