/** Ties a track that is made of a device's to it: stopped, it stops the device, and it ends with it. */
export function chained(made: MediaStreamTrack, device: MediaStreamTrack, end: () => void): MediaStreamTrack {
  const stop = made.stop.bind(made);
  made.stop = () => {
    end();
    stop();
    device.stop();
  };
  device.addEventListener('ended', () => made.dispatchEvent(new Event('ended')));
  return made;
}
