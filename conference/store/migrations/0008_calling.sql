-- What a site may spend on calling telephones (P8); the server's defaults where there is no row.
CREATE TABLE calling_policies (
  site_id TEXT PRIMARY KEY REFERENCES sites (id),
  allowed BIGINT NOT NULL,
  calls_max BIGINT NOT NULL,
  minutes_per_day BIGINT NOT NULL,
  -- Thousandths of the currency; negative: nothing is reckoned.
  budget_per_day BIGINT NOT NULL,
  same_number_per_hour BIGINT NOT NULL,
  -- Separated by spaces; empty: all that the carriers allow.
  prefixes TEXT NOT NULL
);

-- When somebody took the call; 0 where nobody did.
ALTER TABLE calls ADD COLUMN answered_ms BIGINT NOT NULL DEFAULT 0;
-- Thousandths of the currency.
ALTER TABLE calls ADD COLUMN cost BIGINT NOT NULL DEFAULT 0;
