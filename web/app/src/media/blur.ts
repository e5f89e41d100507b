import { VirtualBackgroundProcessor } from '@shiguredo/virtual-background';
import { chained } from './chained';

/** Where the build puts the model; its name has the version, as what stands there is kept for ever. */
const PARTS = `/assets/background-${__BACKGROUND_VERSION__}`;

/** Of a 540p picture: a shelf is no longer a shelf, a lamp is still a light. */
const RADIUS = 14;

/** The camera's picture with all but the person out of focus. Stopped, it stops the camera too. */
export async function blurred(camera: MediaStreamTrack): Promise<MediaStreamTrack> {
  const processor = new VirtualBackgroundProcessor(PARTS);
  const track = await processor.startProcessing(camera as MediaStreamVideoTrack, { blurRadius: RADIUS });
  return chained(track, camera, () => processor.stopProcessing());
}
