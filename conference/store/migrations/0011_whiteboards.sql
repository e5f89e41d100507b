-- Whiteboards (C20): what was drawn in a meeting, to be had again whenever it is held.
CREATE TABLE drawings (
  meeting_id TEXT NOT NULL REFERENCES meetings (id),
  -- Grows by one with each; one that takes the place of many has the newest's.
  number BIGINT NOT NULL,
  -- An update of Yjs in base64.
  drawing TEXT NOT NULL,
  PRIMARY KEY (meeting_id, number)
);
