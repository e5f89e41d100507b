/**
 * How long to wait before each try to come back, in milliseconds. The first is at once: most losses are a switch from
 * one network to another. Longer waits at the end would miss the minute for which the seat is kept.
 */
const WAITS = [0, 500, 1_000, 2_000, 3_000, 5_000];

/** Up to this share is added by chance, so that a thousand clients of a restarted server don't knock as one. */
const SPREAD = 0.3;

/** The wait before try number `attempt`, from 0. */
export function backoff(attempt: number, random: () => number = Math.random): number {
  const wait = WAITS[Math.min(attempt, WAITS.length - 1)] ?? 0;
  return wait * (1 + SPREAD * random());
}
