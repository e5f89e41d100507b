import { countdown, secondsUntil, useNow } from '../parts/useNow';
import { useMeetingState } from './useMeeting';

/** How long the breakout rooms stay open, as 4:05; null where they have no end. */
export function useBreakoutsLeft(): string | null {
  const ends = useMeetingState(state => state.meeting.breakouts_end_ms);
  const now = useNow(500, ends !== null);
  return ends === null ? null : countdown(secondsUntil(ends, now));
}
