-- What begins soon, for the reminders on people's screens.
CREATE INDEX occurrences_by_begin ON occurrences (start_ms);
