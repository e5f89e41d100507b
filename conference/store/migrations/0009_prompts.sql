-- A site's own prompts (P3), in the place of the product's.
CREATE TABLE site_prompts (
  site_id TEXT NOT NULL REFERENCES sites (id),
  -- A tag as of RFC 5646.
  language TEXT NOT NULL,
  -- As in sipconf/prompts.
  prompt TEXT NOT NULL,
  -- Ogg Opus in hexadecimal: the two databases have no kind of bytes in common.
  sound TEXT NOT NULL,
  changed_ms BIGINT NOT NULL,
  PRIMARY KEY (site_id, language, prompt)
);
