import { useEffect, useMemo, useRef } from 'react';
import styles from './LiveVideo.module.css';

interface LiveVideoProps {
  /** One's own track, or a stream that was received. */
  track?: MediaStreamTrack;
  stream?: MediaStream;
  /** People know themselves from mirrors. */
  mirrored?: boolean;
  /** All of it, with bars beside, for what must be readable. */
  whole?: boolean;
  testid?: string;
}

/** A silent picture; sound is played apart from it. */
export function LiveVideo({ track, stream, mirrored, whole, testid }: LiveVideoProps) {
  const element = useRef<HTMLVideoElement>(null);
  const source = useMemo(() => stream ?? (track ? new MediaStream([track]) : null), [stream, track]);

  useEffect(() => {
    const video = element.current;
    if (!video) return;
    video.srcObject = source;
    // Silent pictures may always play; it is refused only while the element is on its way out.
    if (source) video.play().catch(() => undefined);
    return () => {
      video.srcObject = null;
    };
  }, [source]);

  return (
    <video
      ref={element}
      muted
      playsInline
      disablePictureInPicture
      className={styles.video}
      data-mirrored={mirrored || undefined}
      data-whole={whole || undefined}
      data-testid={testid}
    />
  );
}
