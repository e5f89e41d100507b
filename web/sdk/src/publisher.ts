import { preferOurs } from './codecs';

/** What can be sent, in the order of the m-lines. */
export const SOURCES = ['microphone', 'camera', 'screen'] as const;
export type Source = (typeof SOURCES)[number];

/**
 * A voice is clear at 40 kbit/s; with the sound of a shared film there is music in it. A camera is sent in three sizes
 * at once, the smallest first, of which the server gives each receiver the one that fits his tile and his line: 1,200
 * kbit/s is 720p of a face, 110 kbit/s a small tile, which passes where hardly anything does. Text on a shared screen
 * wants more bits and fewer pictures, and every line of it; half as high, with a tenth of the bits, it passes where
 * nothing else would, and costs the computer a sixteenth more.
 */
const ENCODINGS: Record<Source, RTCRtpEncodingParameters[]> = {
  microphone: [{ maxBitrate: 40_000 }],
  camera: [
    { rid: 'q', scaleResolutionDownBy: 4, maxBitrate: 110_000, maxFramerate: 20 },
    { rid: 'h', scaleResolutionDownBy: 2, maxBitrate: 450_000, maxFramerate: 30 },
    { rid: 'f', scaleResolutionDownBy: 1, maxBitrate: 1_200_000, maxFramerate: 30 },
  ],
  screen: [
    { rid: 'h', scaleResolutionDownBy: 2, maxBitrate: 200_000, maxFramerate: 5 },
    { rid: 'f', scaleResolutionDownBy: 1, maxBitrate: 2_500_000, maxFramerate: 15 },
  ],
};

const MUSIC: RTCRtpEncodingParameters[] = [{ maxBitrate: 96_000 }];

/** Of pictures with fewer samples Chromium sends the first layer alone, whatever it is. */
const LAYERED_MIN = 480 * 270;

/** How a source is sent: a window that is too small for two sizes is whole in either. */
export function encodingsOf(source: Source, track: MediaStreamTrack | null): RTCRtpEncodingParameters[] {
  const encodings = source === 'microphone' && isMusic(track) ? MUSIC : ENCODINGS[source];
  const { width = Infinity, height = 1 } = (source === 'screen' && track?.getSettings()) || {};
  const largest = encodings.at(-1);
  if (width * height >= LAYERED_MIN || !largest) return encodings;
  return encodings.map(({ rid }) => ({ ...largest, rid }) as RTCRtpEncodingParameters);
}

function isMusic(track: MediaStreamTrack | null): boolean {
  return track?.contentHint === 'music';
}

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

  /**
   * What the server answered, as suits what is sent: sound that isn't sent while nobody speaks (`usedtx`, RFC 7587 §6.1)
   * is for voices.
   */
  suit(answer: string): string {
    return isMusic(this.#tracks.microphone) ? answer.replaceAll(';usedtx=1', '') : answer;
  }

  /** Adds the three m-lines with what is sent now. */
  build(peer: RTCPeerConnection): void {
    this.#senders = {};
    for (const source of SOURCES) {
      const kind = source === 'microphone' ? 'audio' : 'video';
      const transceiver = peer.addTransceiver(this.#tracks[source] ?? kind, {
        direction: 'sendonly',
        sendEncodings: encodingsOf(source, this.#tracks[source]),
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
    const isAsBefore = isMusic(track) === isMusic(this.#tracks[source]);
    this.#tracks[source] = track;
    const sender = this.#senders[source];
    await sender?.replaceTrack(track);
    // What is shared may be another window than before.
    if (sender && (!isAsBefore || (source === 'screen' && track))) {
      await this.#resize(sender, encodingsOf(source, track));
    }
    return isAsBefore;
  }

  async #resize(sender: RTCRtpSender, wanted: RTCRtpEncodingParameters[]): Promise<void> {
    const parameters = sender.getParameters();
    parameters.encodings.forEach((encoding, at) => Object.assign(encoding, wanted[at]));
    // A browser that takes none of it sends what it would have.
    await sender.setParameters(parameters).catch(() => undefined);
  }
}
