import type { Meeting, Source } from '@huitong/sdk';
import { canShareScreen, useLocalMedia } from '../media/local';
import { type Mixed, mixed } from '../media/mixed';
import { useSettings } from '../settings';
import { useNotices } from './notices';

/*
 * One's own microphone, camera and screen in a meeting. The switches open and close devices; what is open is sent and
 * told to all by `followDevices`. Failures become notices.
 */

/** Mutes or unmutes oneself; the microphone is opened when it is first wanted. */
export async function toggleMicrophone(meeting: Meeting): Promise<void> {
  await attempt(async () => {
    const asked = await meeting.toggleMuted(canBeHeard);
    if (asked) useSettings.getState().remember({ microphoneOn: !asked.muted });
  });
}

/** Opens the microphone if it isn't; without one there may still be the sound of what one shares. */
export async function canBeHeard(): Promise<boolean> {
  return (await isOpen('microphone')) || useLocalMedia.getState().screenSound !== null;
}

export async function toggleCamera(): Promise<void> {
  const { camera, close } = useLocalMedia.getState();
  if (camera) close('camera');
  else if (!(await isOpen('camera'))) return;
  useSettings.getState().remember({ cameraOn: !camera });
}

async function isOpen(capture: 'microphone' | 'camera'): Promise<boolean> {
  const { [capture]: open, open: ask } = useLocalMedia.getState();
  const track = open ?? (await ask(capture));
  if (!track) useNotices.getState().tellTrouble(capture);
  return track !== null;
}

export async function toggleHand(meeting: Meeting): Promise<void> {
  await attempt(() => meeting.raiseHand(!meeting.me?.hand));
}

export async function toggleScreen(): Promise<void> {
  if (!canShareScreen()) return;
  const { screen, openScreen, close } = useLocalMedia.getState();
  if (screen) close('screen');
  else await openScreen();
}

/**
 * Sends what the devices give from now on: another one was chosen, one was unplugged, the browser's own bar ended a
 * screen share. Gives back what ends it.
 */
export function followDevices(meeting: Meeting): () => void {
  const voice = new Voice();
  const opened = (source: Source): MediaStreamTrack | null => {
    const { microphone, screenSound, ...pictures } = useLocalMedia.getState();
    return source === 'microphone' ? voice.of(microphone, screenSound) : pictures[source];
  };
  const busy = new Set<Source>();
  // One after the other, and each time what is open by then: who is quick would else be shown by what he has closed.
  const send = async (source: Source): Promise<void> => {
    if (busy.has(source)) return;
    busy.add(source);
    for (let track = opened(source); track !== meeting.track(source); track = opened(source)) {
      if (meeting.state.phase === 'ended') break;
      const sent = track;
      await attempt(() => SEND[source](meeting, sent));
      // What may not be shown is not open either.
      if (source !== 'microphone' && meeting.track(source) !== sent && opened(source) === sent) {
        useLocalMedia.getState().close(source);
      }
    }
    busy.delete(source);
  };
  const follow = () => {
    if (meeting.state.phase === 'ended') return;
    const { screenSound } = useLocalMedia.getState();
    // What one shares is heard with one's voice, and not while one is muted.
    if (screenSound && screenSound !== voice.sound && meeting.me?.muted) {
      useNotices.getState().tell({ kind: 'sound_muted' });
    }
    for (const source of ['microphone', 'camera', 'screen'] as const) void send(source);
  };
  // Something may have been opened while one came in.
  follow();
  const undo = useLocalMedia.subscribe(follow);
  return () => {
    undo();
    voice.end();
  };
}

const SEND: Record<Source, (meeting: Meeting, track: MediaStreamTrack | null) => Promise<void>> = {
  microphone: (meeting, track) => meeting.setMicrophone(track),
  camera: (meeting, track) => meeting.setCamera(track),
  screen: (meeting, track) => meeting.setScreen(track),
};

/** What is sent as one's sound: the microphone, or it and what one shares. */
class Voice {
  sound: MediaStreamTrack | null = null;
  #microphone: MediaStreamTrack | null = null;
  #made: Mixed | null = null;

  of(microphone: MediaStreamTrack | null, sound: MediaStreamTrack | null): MediaStreamTrack | null {
    if (microphone !== this.#microphone || sound !== this.sound) {
      this.end();
      [this.#microphone, this.sound] = [microphone, sound];
      this.#made = sound && mixed(microphone, sound);
    }
    return this.#made ? this.#made.track : microphone;
  }

  end(): void {
    this.#made?.end();
    this.#made = null;
  }
}

/** Does something; if it can't be done, says why. */
export async function attempt(action: () => Promise<void>): Promise<void> {
  try {
    await action();
  } catch (thrown) {
    useNotices.getState().tellProblem(thrown);
  }
}
