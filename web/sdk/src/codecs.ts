/**
 * Only what the server forwards and mixes is offered: one codec of each kind means that whoever joins can be heard and
 * seen by whoever is there, without transcoding.
 */
const WANTED: Record<'audio' | 'video', readonly string[]> = {
  audio: ['audio/opus'],
  // Without rtx in the list lost packets would not be sent again.
  video: ['video/vp8', 'video/rtx'],
};

/** The browser's codecs reduced to ours; empty where it has none of them, which leaves its own choice. */
export function wantedCodecs(kind: 'audio' | 'video', codecs: readonly RTCRtpCodec[]): RTCRtpCodec[] {
  const wanted = WANTED[kind];
  const kept = codecs.filter(({ mimeType }) => wanted.includes(mimeType.toLowerCase()));
  return kept.some(({ mimeType }) => mimeType.toLowerCase() === wanted[0]) ? kept : [];
}

/** Offers our codecs alone on an m-line. */
export function preferOurs(
  transceiver: RTCRtpTransceiver,
  kind: 'audio' | 'video',
  codecs: readonly RTCRtpCodec[],
): void {
  const ours = wantedCodecs(kind, codecs);
  if (ours.length > 0) transceiver.setCodecPreferences(ours);
}
