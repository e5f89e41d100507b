import { type RefObject, useEffect } from 'react';
import { useLocalMedia } from '../media/local';
import { useMeeting, useMeetingState } from '../meeting/useMeeting';

/** Pictures a second: pages are turned and lines are drawn no faster than the audience reads. */
const RATE = 5;

/**
 * While the meeting is live or recorded, whoever shows something sends a picture of it as his screen: the audience has no
 * whiteboard and no documents of its own.
 */
export function useAudience(canvas: RefObject<HTMLCanvasElement | null>): void {
  const meeting = useMeeting();
  const isOnAir = useMeetingState(
    state => state.meeting.shown?.by === state.you && (state.meeting.recording || state.broadcast !== null),
  );
  useEffect(() => {
    const surface = canvas.current;
    if (!isOnAir || !surface) return;
    const [track] = surface.captureStream(RATE).getVideoTracks();
    if (!track) return;
    const { sendScreen, close } = useLocalMedia.getState();
    sendScreen(track);
    // A surface that nobody paints on gives no pictures, and who comes late would see none.
    const timer = setInterval(() => {
      const context = surface.getContext('2d');
      const [red = 0, green = 0, blue = 0] = context?.getImageData(0, 0, 1, 1).data ?? [];
      if (!context) return;
      context.save();
      context.setTransform(1, 0, 0, 1, 0, 0);
      context.fillStyle = `rgb(${red} ${green} ${blue})`;
      context.fillRect(0, 0, 1, 1);
      context.restore();
    }, 1000 / RATE);
    return () => {
      clearInterval(timer);
      if (useLocalMedia.getState().screen === track) close('screen');
    };
  }, [canvas, isOnAir, meeting]);
}
