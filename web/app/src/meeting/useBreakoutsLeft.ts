import { useEffect, useState } from 'react';
import { useMeetingState } from './useMeeting';

/** How long the breakout rooms stay open, as 4:05; null where they have no end. */
export function useBreakoutsLeft(): string | null {
  const ends = useMeetingState(state => state.meeting.breakouts_end_ms);
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    if (ends === null) return;
    const timer = setInterval(() => setNow(Date.now()), 500);
    return () => clearInterval(timer);
  }, [ends]);
  if (ends === null) return null;
  const seconds = Math.max(0, Math.ceil((ends - now) / 1_000));
  return `${Math.floor(seconds / 60)}:${`${seconds % 60}`.padStart(2, '0')}`;
}
