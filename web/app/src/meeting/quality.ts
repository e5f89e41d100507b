import type { MeetingState, MeetingStats } from '@huitong/sdk';

/** How the network did between two looks at it. */
export interface Sample {
  roundTripMs: number;
  /** Of what should have been received, 0 to 1. */
  lost: number;
  sentKbit: number;
  receivedKbit: number;
  /** The greatest of those received now. */
  jitterMs: number;
  /** The picture one sends, as width × height. */
  picture: string;
}

export type Grade = 'good' | 'fair' | 'poor';

/** What people begin to notice. */
const FAIR = { roundTripMs: 250, lost: 0.02 };

/**
 * Poor is what the server says of one, and tells the others: it sees both ways. So is a line that carries nothing, of which
 * nobody can say anything. Short of that, what is seen from here.
 */
export function gradeOf({ roundTripMs, lost }: Pick<Sample, 'roundTripMs' | 'lost'>, isPoor: boolean): Grade {
  if (isPoor) return 'poor';
  return roundTripMs > FAIR.roundTripMs || lost > FAIR.lost ? 'fair' : 'good';
}

/** Words or media no longer come through; before anything was measured they have not yet. */
export function isCut({ phase, sending, receiving }: Line, isMeasured: boolean): boolean {
  return phase === 'reconnecting' || (isMeasured && !(sending && receiving));
}

type Line = Pick<MeetingState, 'phase' | 'sending' | 'receiving'>;

const sum = (values: number[]): number => values.reduce((all, value) => all + value, 0);

/** What happened in `ms` between two readings; counters that began anew count as nothing. */
export function sampleOf(before: MeetingStats, now: MeetingStats, ms: number): Sample {
  const grown = (of: (stats: MeetingStats) => number) => Math.max(0, of(now) - of(before));
  const lost = grown(({ subscribe }) => sum(subscribe.slots.map(slot => slot.lost)));
  const came = grown(({ subscribe }) => sum(subscribe.slots.map(slot => slot.packets)));
  const sent = grown(({ publish }) => sum(publish.tracks.map(track => track.bytes)));
  const received = grown(({ subscribe }) => sum(subscribe.slots.map(slot => slot.bytes)));
  const [camera] = now.publish.tracks
    .filter(({ source, width }) => source === 'camera' && width > 0)
    .sort((a, b) => b.width - a.width);
  return {
    roundTripMs: 1000 * (now.subscribe.roundTrip ?? now.publish.roundTrip ?? 0),
    lost: lost + came > 0 ? lost / (lost + came) : 0,
    sentKbit: (sent * 8) / ms,
    receivedKbit: (received * 8) / ms,
    jitterMs: 1000 * Math.max(0, ...now.subscribe.slots.map(slot => (slot.participant ? slot.jitter : 0))),
    picture: camera ? `${camera.width} × ${camera.height}` : '',
  };
}
