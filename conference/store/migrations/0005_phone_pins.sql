-- What a host keys on a telephone to be one: eight digits.
CREATE TABLE phone_pins (
  account_id TEXT PRIMARY KEY REFERENCES accounts (id),
  pin TEXT NOT NULL
);
