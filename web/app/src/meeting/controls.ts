import type { Meeting } from '@huitong/sdk';
import { useLocalMedia } from '../media/local';
import { useSettings } from '../settings';
import { useNotices } from './notices';

/*
 * One's own microphone, camera and screen in a meeting: devices, what is sent, and what all are told, in the right
 * order. Failures become notices.
 */

/** Mutes or unmutes oneself; the microphone is opened when it is first wanted. */
export async function toggleMicrophone(meeting: Meeting): Promise<void> {
  const wanted = meeting.me?.muted ?? false;
  await attempt(async () => {
    if (!wanted) {
      await meeting.mute();
    } else if (await openMicrophone(meeting)) {
      await meeting.unmute();
    }
    useSettings.getState().remember({ microphoneOn: wanted });
  });
}

async function openMicrophone(meeting: Meeting): Promise<boolean> {
  const { microphone, open } = useLocalMedia.getState();
  const track = microphone ?? (await open('microphone'));
  if (!track) {
    useNotices.getState().tellTrouble('microphone');
    return false;
  }
  if (meeting.track('microphone') !== track) await meeting.setMicrophone(track);
  return true;
}

export async function toggleCamera(meeting: Meeting): Promise<void> {
  const { camera, open, close } = useLocalMedia.getState();
  await attempt(async () => {
    if (camera) {
      close('camera');
      await meeting.setCamera(null);
    } else {
      const track = await open('camera');
      if (!track) return useNotices.getState().tellTrouble('camera');
      await meeting.setCamera(track);
    }
    useSettings.getState().remember({ cameraOn: !camera });
  });
}

export async function toggleScreen(meeting: Meeting): Promise<void> {
  const { screen, openScreen, close } = useLocalMedia.getState();
  await attempt(async () => {
    if (screen) {
      close('screen');
      await meeting.setScreen(null);
      return;
    }
    const track = await openScreen();
    if (track) await meeting.setScreen(track);
  });
}

/**
 * Sends what the devices give from now on: another one was chosen, one was unplugged, the browser's own bar ended a
 * screen share. Gives back what ends it.
 */
export function followDevices(meeting: Meeting): () => void {
  return useLocalMedia.subscribe((now, before) => {
    const changed = (source: 'microphone' | 'camera' | 'screen') =>
      now[source] !== before[source] && now[source] !== meeting.track(source);
    void attempt(async () => {
      if (changed('microphone')) await meeting.setMicrophone(now.microphone);
      if (changed('camera')) await meeting.setCamera(now.camera);
      if (changed('screen')) await meeting.setScreen(now.screen);
    });
  });
}

/** Does something; if it can't be done, says why. */
export async function attempt(action: () => Promise<void>): Promise<void> {
  try {
    await action();
  } catch (thrown) {
    useNotices.getState().tellProblem(thrown);
  }
}
