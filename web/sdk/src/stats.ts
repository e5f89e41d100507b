import type { ParticipantId, TrackKind } from './protocol';
import { SOURCES, type Source } from './publisher';
import type { Received } from './subscriber';

/** One size of a track as it is sent. Counters run since the connection began. */
export interface SentStats {
  mid: string;
  source: Source;
  bytes: number;
  packets: number;
  /** Packets sent again because the server missed them. */
  retransmitted: number;
  /** Pictures encoded; 0 for sound. */
  frames: number;
  width: number;
  height: number;
  /** Why the picture is smaller than it could be: `none`, `cpu`, `bandwidth`. */
  limitedBy: string;
}

/** One slot as it is received. */
export interface ReceivedStats {
  mid: string;
  kind: TrackKind;
  /** Who is in the slot now; the counters are the slot's, whoever was in it. */
  participant: ParticipantId | null;
  bytes: number;
  packets: number;
  lost: number;
  /** Seconds. */
  jitter: number;
  /** 0 to 1, now. */
  audioLevel: number;
  /** Grows with what was heard. */
  audioEnergy: number;
  /** Samples made up for lost ones. */
  concealed: number;
  frames: number;
  width: number;
  height: number;
  freezes: number;
  /** Seconds of them. */
  frozen: number;
}

export interface ConnectionStats {
  state: RTCPeerConnectionState;
  /** Seconds; null before the first check. */
  roundTrip: number | null;
}

export interface MeetingStats {
  publish: ConnectionStats & { tracks: SentStats[] };
  subscribe: ConnectionStats & { slots: ReceivedStats[] };
}

/** A stats entry: what the W3C defines beyond TypeScript's own types. */
type Entry = Record<string, unknown> & { type: string };

function entries(report: RTCStatsReport | undefined): Entry[] {
  const found: Entry[] = [];
  report?.forEach((entry: Entry) => found.push(entry));
  return found;
}

const number = (value: unknown): number => (typeof value === 'number' ? value : 0);
const text = (value: unknown): string => (typeof value === 'string' ? value : '');

function connection(peer: RTCPeerConnection | null, all: Entry[]): ConnectionStats {
  const pair = all.find(({ type, nominated }) => type === 'candidate-pair' && nominated === true);
  const roundTrip = pair?.['currentRoundTripTime'];
  return {
    state: peer?.connectionState ?? 'new',
    roundTrip: typeof roundTrip === 'number' ? roundTrip : null,
  };
}

export async function sentStats(peer: RTCPeerConnection | null): Promise<MeetingStats['publish']> {
  const all = entries(await peer?.getStats());
  const mids = peer?.getTransceivers().map(({ mid }) => mid) ?? [];
  // In the order of the m-lines, the largest size first: browsers have no order.
  const tracks = SOURCES.flatMap((source, at) =>
    all
      .filter(({ type, mid }) => type === 'outbound-rtp' && mid === mids[at])
      .map(entry => sentOf(entry, source))
      .sort((a, b) => b.width - a.width),
  );
  return { ...connection(peer, all), tracks };
}

function sentOf(entry: Entry, source: Source): SentStats {
  return {
    mid: text(entry['mid']),
    source,
    bytes: number(entry['bytesSent']),
    packets: number(entry['packetsSent']),
    retransmitted: number(entry['retransmittedPacketsSent']),
    frames: number(entry['framesEncoded']),
    width: number(entry['frameWidth']),
    height: number(entry['frameHeight']),
    limitedBy: text(entry['qualityLimitationReason']) || 'none',
  };
}

export async function receivedStats(
  peer: RTCPeerConnection | null,
  received: readonly Received[],
): Promise<MeetingStats['subscribe']> {
  const all = entries(await peer?.getStats());
  const inbound = new Map(
    all.filter(({ type }) => type === 'inbound-rtp').map(entry => [text(entry['mid']), entry]),
  );
  const slots = received.map(({ mid, kind, participant }) => {
    const entry: Record<string, unknown> = inbound.get(mid) ?? {};
    return {
      mid,
      kind,
      participant,
      bytes: number(entry['bytesReceived']),
      packets: number(entry['packetsReceived']),
      lost: number(entry['packetsLost']),
      jitter: number(entry['jitter']),
      audioLevel: number(entry['audioLevel']),
      audioEnergy: number(entry['totalAudioEnergy']),
      concealed: number(entry['concealedSamples']),
      frames: number(entry['framesDecoded']),
      width: number(entry['frameWidth']),
      height: number(entry['frameHeight']),
      freezes: number(entry['freezeCount']),
      frozen: number(entry['totalFreezesDuration']),
    };
  });
  return { ...connection(peer, all), slots };
}
