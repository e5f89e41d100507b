import { preferOurs } from './codecs';

/** What can be sent, in the order of the m-lines. */
export const SOURCES = ['microphone', 'camera', 'screen'] as const;
export type Source = (typeof SOURCES)[number];

/** A voice is clear at these bits a second; what of a shared film comes with it is music as well. */
const VOICE_BITS = 40_000;
const MUSIC_BITS = 96_000;

/**
 * A camera is sent in three sizes at once, the smallest first, of which the server gives each receiver the one that fits
 * his tile and his line: 1,200 kbit/s is 720p of a face, 110 kbit/s a small tile, which passes where hardly anything
 * does. Text on a shared screen wants more bits and fewer pictures, and every line of it.
 */
const ENCODINGS: Record<Exclude<Source, 'microphone'>, RTCRtpEncodingParameters[]> = {
  camera: [
    { rid: 'q', scaleResolutionDownBy: 4, maxBitrate: 110_000, maxFramerate: 20 },
    { rid: 'h', scaleResolutionDownBy: 2, maxBitrate: 450_000, maxFramerate: 30 },
    { rid: 'f', scaleResolutionDownBy: 1, maxBitrate: 1_200_000, maxFramerate: 30 },
  ],
  screen: [{ maxBitrate: 2_500_000, maxFramerate: 15 }],
};

/** The tracks one sends: they outlive every connection they are sent by. */
export class Publisher {
  readonly #tracks: Record<Source, MediaStreamTrack | null> = {
    microphone: null,
    camera: null,
    screen: null,
  };
  #senders: Partial<Record<Source, RTCRtpSender>> = {};

  track(source: Source): MediaStreamTrack | null {
    return this.#tracks[source];
  }

  /** Music is sent with the voice: soft passages of it are no silence. */
  get #isMusic(): boolean {
    return this.#tracks.microphone?.contentHint === 'music';
  }

  get #sound(): RTCRtpEncodingParameters {
    return { maxBitrate: this.#isMusic ? MUSIC_BITS : VOICE_BITS };
  }

  /** What the server answered, as suits what is sent: sound that isn't sent while nobody speaks (`usedtx`, RFC 7587 §6.1) is for voices. */
  suit(answer: string): string {
    return this.#isMusic ? answer.replaceAll(';usedtx=1', '') : answer;
  }

  /** Adds the three m-lines with what is sent now. */
  build(peer: RTCPeerConnection): void {
    this.#senders = {};
    for (const source of SOURCES) {
      const kind = source === 'microphone' ? 'audio' : 'video';
      const transceiver = peer.addTransceiver(this.#tracks[source] ?? kind, {
        direction: 'sendonly',
        sendEncodings: source === 'microphone' ? [this.#sound] : ENCODINGS[source],
      });
      preferOurs(transceiver, 'send', kind, RTCRtpSender.getCapabilities(kind)?.codecs ?? []);
      this.#senders[source] = transceiver.sender;
    }
  }

  /** The connection is closed for good. */
  detach(): void {
    this.#senders = {};
  }

  /** Sends another track, or none; whether the server's answer suits it as it did. */
  async replace(source: Source, track: MediaStreamTrack | null): Promise<boolean> {
    if (track && source === 'screen') track.contentHint = 'detail';
    const wasMusic = this.#isMusic;
    this.#tracks[source] = track;
    const sender = this.#senders[source];
    await sender?.replaceTrack(track);
    if (this.#isMusic === wasMusic) return true;
    const parameters = sender?.getParameters();
    for (const encoding of parameters?.encodings ?? []) Object.assign(encoding, this.#sound);
    if (parameters) await sender?.setParameters(parameters);
    return false;
  }
}
