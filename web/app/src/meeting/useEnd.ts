import { useNow } from '../parts/useNow';
import { useMeetingState } from './useMeeting';

/** From here on it is worth knowing. */
export const TOLD_MIN = 15;

/** Whole minutes left; null while there are many, or no end. */
export function useEnd(): number | null {
  const ends = useMeetingState(state => state.meeting.ends_ms);
  const now = useNow(5_000);
  if (ends === null) return null;
  const minutes = Math.max(0, Math.ceil((ends - now) / 60_000));
  return minutes <= TOLD_MIN ? minutes : null;
}
