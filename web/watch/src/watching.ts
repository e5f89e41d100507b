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
  | 'stage'
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

/** Begins to hurry when what is fetched ahead is so much more than the livestream's least, and stops at that: with less, the picture stands at the first hiccup of a network. */
const SPARE_S = 0.15;

/** So late he begins to hurry, and so near he has arrived. Between them he goes on as he did: each change of speed can be heard. */
const LATE_S = 0.2;
const ARRIVED_S = 0.05;

/** Parts may come two at once, and late: what counts is the least there was. Three parts' time, or as long as the pattern of a network shows, before he begins. */
const STOP_WINDOW_S = 0.6;
const START_WINDOW_S = 1.5;

/** How fast, when more than a second late and else. Faster is heard. */
const RATES = [1.5, 1.2] as const;

/**
 * Comes as near as the livestream allows, after beginning or stalling. hls.js does that too, but only with more than a second fetched ahead, and so never
 * comes nearer than that.
 */
export class Hurry {
  private seen: { at: number; ahead: number }[] = [];
  private rate = 1;

  /** How fast to play now: `behind` what happens, with so much fetched `ahead`, to be `target` behind it. All in seconds. */
  rateAt(now: number, behind: number, ahead: number, target: number): number {
    this.seen = [...this.seen.filter(({ at }) => now - at < START_WINDOW_S), { at: now, ahead }];
    const late = behind - target;
    const isHurried = this.rate !== 1;
    const [lateEnough, spare, since] = isHurried
      ? [ARRIVED_S, 0, now - STOP_WINDOW_S]
      : [LATE_S, SPARE_S, now - START_WINDOW_S];
    const least = Math.min(...this.seen.filter(({ at }) => at > since).map(seen => seen.ahead));
    const hurries = late > lateEnough && late <= BACK_S && least >= target + spare;
    this.rate = hurries ? RATES[late > 1 ? 0 : 1] : 1;
    return this.rate;
  }
}

/** Seconds as people read them: 1:05, 1:02:03. */
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  const last = `${whole % 60}`.padStart(2, '0');
  return hours ? `${hours}:${`${minutes}`.padStart(2, '0')}:${last}` : `${minutes}:${last}`;
}

/** So near its start a livestream may be on at any moment. Before that, thousands who wait ask less often, and not all at once. */
const SOON_MS = 120_000;
const EARLY_MS = 10_000;

/** Milliseconds until the server is asked again; so long before the planned start, where it is known. */
export function askAgainAfter(view: View, untilStart?: number, chance = Math.random()): number {
  switch (view) {
    case 'waiting':
      return (untilStart ?? 0) > SOON_MS ? EARLY_MS * (0.5 + chance / 2) : 1_000;
    case 'playing':
    case 'stage':
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
