import { useLocalMedia } from '../media/local';
import { attempt } from './controls';
import { useMeeting, useMeetingState } from './useMeeting';

/** Whether one shares anything, screen or other, and how to stop. */
export function useSharing(): { isOn: boolean; stop: () => void } {
  const meeting = useMeeting();
  const screen = useLocalMedia(state => state.screen);
  const shows = useMeetingState(state => state.meeting.shown?.by === state.you);
  const stop = () => {
    if (shows) void attempt(() => meeting.stopShowing());
    useLocalMedia.getState().close('screen');
  };
  return { isOn: shows || screen !== null, stop };
}
