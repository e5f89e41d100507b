import { useEffect } from 'react';
import { useLocalMedia } from '../media/local';
import { toggleCamera, toggleMicrophone } from './controls';
import { useMe, useMeeting, useMeetingState } from './useMeeting';

type Action = MediaSessionAction | 'togglemicrophone' | 'togglecamera' | 'hangup';

/** What the system shows of the meeting: on a locked screen, on a headset's keys, beside a small picture. */
export function useMediaSession(): void {
  const meeting = useMeeting();
  const title = useMeetingState(state => state.meeting.title);
  const isMuted = useMe()?.muted ?? true;
  const camera = useLocalMedia(state => state.camera);

  useEffect(() => {
    if (!('mediaSession' in navigator)) return;
    const { mediaSession } = navigator;
    mediaSession.metadata = new MediaMetadata({
      title,
      artwork: [{ src: '/icon-512.png', sizes: '512x512', type: 'image/png' }],
    });
    const handlers: [Action, () => void][] = [
      ['togglemicrophone', () => void toggleMicrophone(meeting)],
      ['togglecamera', () => void toggleCamera()],
      ['hangup', () => void meeting.leave()],
    ];
    const handle = (action: Action, handler: (() => void) | null) => {
      try {
        mediaSession.setActionHandler(action as MediaSessionAction, handler);
      } catch {
        // Not every browser knows every action.
      }
    };
    for (const [action, handler] of handlers) handle(action, handler);
    return () => {
      mediaSession.metadata = null;
      for (const [action] of handlers) handle(action, null);
    };
  }, [meeting, title]);

  useEffect(() => {
    if (!('mediaSession' in navigator)) return;
    const { mediaSession } = navigator as { mediaSession: Partial<MediaSession> };
    void mediaSession.setMicrophoneActive?.(!isMuted);
    void mediaSession.setCameraActive?.(camera !== null);
  }, [isMuted, camera]);
}
