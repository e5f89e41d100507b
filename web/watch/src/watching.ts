import type { Playing } from './player';

/** What the server says of the livestream. */
export type Known = 'unknown' | 'live' | 'waiting' | 'ended' | 'missing' | 'unreachable' | 'barred';

/** What the page shows. */
export type View =
  | 'loading'
  | 'waiting'
  | 'playing'
  | 'buffering'
  | 'resuming'
  | 'ended'
  | 'replay'
  | 'missing'
  | 'barred'
  | 'unreachable'
  | 'unplayable';

/** The server's word and the player's, as one. */
export function viewOf(known: Known, playing: Playing | null): View {
  // What plays, plays: a server that is out of reach for a moment is the player's to notice.
  if (playing === 'playing' || playing === 'unplayable') return playing;
  if (playing === 'ended') return 'ended';
  switch (known) {
    case 'unknown':
      return 'loading';
    case 'waiting':
      // It was on a moment ago: rather an accident than the end.
      return playing === null ? 'waiting' : 'resuming';
    case 'live':
      return playing === 'buffering' ? 'buffering' : playing === 'broken' ? 'resuming' : 'loading';
    default:
      return known;
  }
}

/** Seconds as people read them: 1:05, 1:02:03. */
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  const last = `${whole % 60}`.padStart(2, '0');
  return hours ? `${hours}:${`${minutes}`.padStart(2, '0')}:${last}` : `${minutes}:${last}`;
}

/** Milliseconds until the server is asked again. */
export function askAgainAfter(view: View): number {
  switch (view) {
    case 'playing':
      return 10_000;
    case 'ended':
    case 'barred':
    case 'replay':
    case 'missing':
    case 'unplayable':
      // It may be started again, and whoever left the page open wants to see it.
      return 5_000;
    default:
      // The picture is to be there within three seconds of the start.
      return 1_000;
  }
}
