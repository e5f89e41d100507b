-- Call detail records: one for each call, whatever became of it.

CREATE TABLE calls (
  -- UUIDv7.
  id TEXT PRIMARY KEY,
  -- Of the meeting; empty where the call reached none.
  site_id TEXT NOT NULL,
  meeting_id TEXT NOT NULL,
  -- in or out.
  direction TEXT NOT NULL,
  -- Masked.
  number TEXT NOT NULL,
  -- RFC 3261 §20.8, to find it in logs and traces.
  call_id TEXT NOT NULL,
  codec TEXT NOT NULL,
  started_ms BIGINT NOT NULL,
  ended_ms BIGINT NOT NULL,
  -- As in the metric gateway_calls_ended.
  cause TEXT NOT NULL,
  -- RTP packets.
  received BIGINT NOT NULL,
  lost BIGINT NOT NULL,
  sent BIGINT NOT NULL,
  jitter_ms DOUBLE PRECISION NOT NULL,
  -- Negative where RTCP never told.
  round_trip_ms DOUBLE PRECISION NOT NULL,
  -- Mean opinion score (ITU-T G.107), 1 to 4.5; 0 where there was no sound.
  mos DOUBLE PRECISION NOT NULL
);

CREATE INDEX calls_by_site ON calls (site_id, id);
