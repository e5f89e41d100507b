-- The proxies a telephone registered by, one a line, the nearest first (RFC 3327).
ALTER TABLE registrations ADD COLUMN path TEXT NOT NULL DEFAULT '';
