import { RnnoiseWorkletNode, loadRnnoise } from '@sapphi-red/web-noise-suppressor';
import simdUrl from '@sapphi-red/web-noise-suppressor/rnnoise_simd.wasm?url';
import url from '@sapphi-red/web-noise-suppressor/rnnoise.wasm?url';
import workletUrl from '@sapphi-red/web-noise-suppressor/rnnoiseWorklet.js?url';
import { chained } from './chained';

/** The only rate RNNoise was taught. */
const RATE = 48_000;

/** The microphone's sound with nothing but voices left in it. Stopped, it stops the microphone too. */
export async function denoised(microphone: MediaStreamTrack): Promise<MediaStreamTrack> {
  const context = new AudioContext({ sampleRate: RATE });
  try {
    const [wasmBinary] = await Promise.all([
      loadRnnoise({ url, simdUrl }),
      context.audioWorklet.addModule(workletUrl),
    ]);
    const source = context.createMediaStreamSource(new MediaStream([microphone]));
    const node = new RnnoiseWorkletNode(context, { wasmBinary, maxChannels: 1 });
    const target = new MediaStreamAudioDestinationNode(context, { channelCount: 1 });
    source.connect(node).connect(target);
    await context.resume();
    const [track] = target.stream.getAudioTracks();
    if (!track) throw new Error('a destination has a track');
    return chained(track, microphone, () => {
      node.destroy();
      void context.close();
    });
  } catch (thrown) {
    void context.close();
    throw thrown;
  }
}
