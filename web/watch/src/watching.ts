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

/** Further behind where he means to be, in seconds, a viewer has gone back by himself. */
const BACK_S = 2;

/** What is fetched ahead stays so much more than the livestream's least: with less, the picture stands at the first hiccup of a network. */
const SPARE_S = 0.15;

/** Faster is heard. */
const RATE_MAX = 1.5;

/**
 * How fast to play, so that who begins or has stalled comes as near as the livestream allows, `target` seconds behind it. hls.js does that too,
 * but only with more than a second fetched ahead, and so never comes nearer than that.
 */
export function rateOf(behind: number, ahead: number, target: number): number {
  const late = behind - target;
  if (late < 0.05 || late > BACK_S || ahead < target + SPARE_S) return 1;
  return Math.min(RATE_MAX, Math.round(40 / (1 + Math.exp(-0.75 * late))) / 20);
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
