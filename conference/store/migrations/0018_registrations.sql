-- Where telephones of the house are that registered by UDP (RFC 3261 section 10): they are called after a restart too.
CREATE TABLE registrations (
  -- sip.accounts
  account TEXT NOT NULL,
  -- The Contact.
  uri TEXT NOT NULL,
  -- Address and port it registered from, and ours that it registered at.
  peer TEXT NOT NULL,
  local TEXT NOT NULL,
  expires_ms BIGINT NOT NULL,
  PRIMARY KEY (account, uri)
);
