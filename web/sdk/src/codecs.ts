/**
 * What is sent is one codec of each kind, which whoever joins can decode; what is received may also be what encoders and other
 * programs send, as nothing is transcoded.
 */
const WANTED: Record<'send' | 'receive', Record<'audio' | 'video', readonly string[]>> = {
  send: {
    // Where the server knows it, each packet carries the one before it once more (RFC 2198).
    audio: ['audio/opus', 'audio/red'],
    // Without rtx in the list lost packets would not be sent again.
    video: ['video/vp8', 'video/rtx'],
  },
  receive: {
    // Where it loses some of a voice, the server sends each packet with the next once more.
    audio: ['audio/opus', 'audio/red'],
    video: ['video/vp8', 'video/h264', 'video/vp9', 'video/av1', 'video/rtx'],
  },
};

/** Of H.264 and VP9 browsers list every profile; one of each is enough, for decoders take the others by it too. */
const ONE_OF_MANY: Partial<Record<string, RegExp>> = {
  'video/h264': /^(?=.*packetization-mode=1)(?=.*profile-level-id=42e01f)/,
  'video/vp9': /profile-id=0/,
  'video/av1': /profile=0|^$/,
};

/** The browser's codecs reduced to ours; empty where it has none of them, which leaves its own choice. */
export function wantedCodecs(
  direction: 'send' | 'receive',
  kind: 'audio' | 'video',
  codecs: readonly RTCRtpCodec[],
): RTCRtpCodec[] {
  const wanted = WANTED[direction][kind];
  const is = ({ mimeType, sdpFmtpLine }: RTCRtpCodec) => {
    const type = mimeType.toLowerCase();
    return wanted.includes(type) && (ONE_OF_MANY[type]?.test(sdpFmtpLine ?? '') ?? true);
  };
  const order = ({ mimeType }: RTCRtpCodec) => wanted.indexOf(mimeType.toLowerCase());
  const kept = codecs.filter(is).sort((a, b) => order(a) - order(b));
  return kept.some(({ mimeType }) => mimeType.toLowerCase() === wanted[0]) ? kept : [];
}

/** Offers our codecs alone on an m-line. */
export function preferOurs(
  transceiver: RTCRtpTransceiver,
  direction: 'send' | 'receive',
  kind: 'audio' | 'video',
  codecs: readonly RTCRtpCodec[],
): void {
  const ours = wantedCodecs(direction, kind, codecs);
  if (ours.length > 0) transceiver.setCodecPreferences(ours);
}
