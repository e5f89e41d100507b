import { preferOurs } from './codecs';
import type { ParticipantId, Slot, TrackKind } from './protocol';

/** Voices heard at once. More than six talking is noise, and the server picks who is loudest. */
const AUDIO_SLOTS = 6;

/** Pictures seen at once: a gallery of three by three. */
const VIDEO_SLOTS = 9;

/** A receiving m-line and who is in it now. */
export interface Received extends Slot {
  /** The same for as long as the connection lasts. */
  readonly stream: MediaStream;
}

/** The receiving side: m-lines that are slots, which the server fills. */
export class Subscriber {
  #transceivers: RTCRtpTransceiver[] = [];
  #assigned: readonly Slot[] = [];
  #received: readonly Received[] = [];
  readonly #streams = new Map<MediaStreamTrack, MediaStream>();

  /** All slots, empty ones too. Replaced when anything in it changes. */
  get received(): readonly Received[] {
    return this.#received;
  }

  build(peer: RTCPeerConnection): void {
    const add = (kind: 'audio' | 'video') => {
      const transceiver = peer.addTransceiver(kind, { direction: 'recvonly' });
      preferOurs(transceiver, 'receive', kind, RTCRtpReceiver.getCapabilities(kind)?.codecs ?? []);
      return transceiver;
    };
    this.#transceivers = [
      ...Array.from({ length: AUDIO_SLOTS }, () => add('audio')),
      ...Array.from({ length: VIDEO_SLOTS }, () => add('video')),
    ];
    this.#streams.clear();
    this.#assigned = [];
    this.#received = [];
  }

  /** Takes the server's whole list. */
  assign(slots: readonly Slot[]): void {
    this.#assigned = slots;
    this.refresh();
  }

  /** Matches the list with the m-lines, which have names only once the offer is set. */
  refresh(): void {
    this.#received = this.#assigned.flatMap(slot => {
      const transceiver = this.#transceivers.find(({ mid }) => mid === slot.mid);
      return transceiver ? [{ ...slot, stream: this.#streamOf(transceiver.receiver.track) }] : [];
    });
  }

  clear(): void {
    this.#transceivers = [];
    this.assign([]);
  }

  /** Somebody's sound or picture, while a slot carries it. */
  stream(participant: ParticipantId, kind: TrackKind): MediaStream | null {
    return this.#slot(participant, kind)?.stream ?? null;
  }

  /** A slot carries it, and the line has no room for it. */
  isPaused(participant: ParticipantId, kind: TrackKind): boolean {
    return this.#slot(participant, kind)?.paused === true;
  }

  #slot(participant: ParticipantId, kind: TrackKind): Received | undefined {
    return this.#received.find(slot => slot.participant === participant && slot.kind === kind);
  }

  #streamOf(track: MediaStreamTrack): MediaStream {
    const stream = this.#streams.get(track) ?? new MediaStream([track]);
    this.#streams.set(track, stream);
    return stream;
  }
}
