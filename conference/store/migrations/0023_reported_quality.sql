-- How what a telephone was sent reached it, as it told by RTCP.
-- RTP packets that did not; negative where it tells nothing.
ALTER TABLE calls ADD COLUMN reported_lost BIGINT NOT NULL DEFAULT -1;
-- Interarrival jitter in milliseconds, the mean of its reports; negative where it tells nothing.
ALTER TABLE calls ADD COLUMN reported_jitter_ms DOUBLE PRECISION NOT NULL DEFAULT -1;
-- Mean opinion score by that; 0 where it tells nothing.
ALTER TABLE calls ADD COLUMN reported_mos DOUBLE PRECISION NOT NULL DEFAULT 0;
