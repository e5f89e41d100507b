/** One's voice and the sound of what one shares, as one track: a seat sends one. */
export interface Mixed {
  track: MediaStreamTrack;
  /** Lets go of what was made; the tracks it was made of go on. */
  end: () => void;
}

/** Mixes the sound of a shared tab or screen with one's microphone, where there is one. */
export function mixed(microphone: MediaStreamTrack | null, sound: MediaStreamTrack): Mixed {
  const context = new AudioContext({ sampleRate: 48_000 });
  const target = new MediaStreamAudioDestinationNode(context, { channelCount: 1 });
  // Muting switches off what is sent; the microphone may be switched off from before.
  const voice = microphone?.clone();
  if (voice) voice.enabled = true;
  for (const track of [voice, sound]) {
    if (track) context.createMediaStreamSource(new MediaStream([track])).connect(target);
  }
  // Somebody has just pressed a button; where that is not enough, it goes on with the next press.
  void context.resume();
  const [track] = target.stream.getAudioTracks();
  if (!track) throw new Error('a destination has a track');
  track.contentHint = 'music';
  return {
    track,
    end: () => {
      track.stop();
      voice?.stop();
      void context.close();
    },
  };
}
