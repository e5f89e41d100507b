import { create } from 'zustand';
import { useSettings } from '../settings';

/** Why a device can't be used, as far as browsers tell. */
export type Trouble = 'denied' | 'missing' | 'busy' | 'insecure' | 'failed';

type Capture = 'microphone' | 'camera';

/**
 * One's own devices, from the preview to the end of the meeting. Tracks are opened and closed here and nowhere else:
 * a camera's lamp goes out when the camera is off.
 */
interface LocalMedia {
  microphone: MediaStreamTrack | null;
  camera: MediaStreamTrack | null;
  screen: MediaStreamTrack | null;
  /** What the shared screen or tab plays, where the browser gives it: sent with one's voice. */
  screenSound: MediaStreamTrack | null;
  trouble: Partial<Record<Capture, Trouble>>;
  devices: MediaDeviceInfo[];
  /** Whether the machine has one, allowed or not. */
  has: Record<Capture, boolean>;
  /** Opens a device (the one of the settings), or opens it anew. Null if that can't be. */
  open: (capture: Capture) => Promise<MediaStreamTrack | null>;
  close: (capture: Capture | 'screen') => void;
  /** Waits for devices that are being opened, but no longer than people like to wait. */
  settled: () => Promise<void>;
  /** Asks what to share; null if the answer is nothing. */
  openScreen: () => Promise<MediaStreamTrack | null>;
  /** Sends this as one's screen: a picture of what one shows otherwise. */
  sendScreen: (track: MediaStreamTrack) => void;
  closeAll: () => void;
  listDevices: () => Promise<void>;
}

/** 720p: clear when shown large; whoever shows it small is sent the smaller ones that go with it. */
const PICTURE: MediaTrackConstraints = {
  width: { ideal: 1280 },
  height: { ideal: 720 },
  frameRate: { ideal: 30, max: 30 },
};

const SOUND: MediaTrackConstraints = {
  echoCancellation: true,
  noiseSuppression: true,
  autoGainControl: true,
};

/** Browsers ask whether the sound is to go with it, where they can. It is no voice: nothing is taken out of it. */
const SCREEN: DisplayMediaStreamOptions = {
  video: { frameRate: { ideal: 15 } },
  audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false },
};

/** The device of the settings: where it is only preferred Chromium gives another. One that was left at home keeps nobody out. */
async function capturedBy(capture: Capture): Promise<MediaStream> {
  const ask = (device: MediaTrackConstraints) =>
    navigator.mediaDevices.getUserMedia(
      capture === 'microphone' ? { audio: { ...SOUND, ...device } } : { video: { ...PICTURE, ...device } },
    );
  const id = useSettings.getState()[capture];
  try {
    if (id) return await ask({ deviceId: { exact: id } });
  } catch (thrown) {
    if (troubleOf(thrown) !== 'missing') throw thrown;
  }
  return ask({});
}

/** With what the settings want done to it; as it is where that can't be. */
async function improved(capture: Capture, device: MediaStreamTrack): Promise<MediaStreamTrack> {
  const { blur, denoise } = useSettings.getState();
  try {
    if (capture === 'camera' && blur) return await (await import('./blur')).blurred(device);
    if (capture === 'microphone' && denoise) return await (await import('./denoise')).denoised(device);
  } catch (thrown) {
    console.error(thrown);
  }
  return device;
}

function troubleOf(thrown: unknown): Trouble {
  switch (thrown instanceof DOMException ? thrown.name : '') {
    case 'NotAllowedError':
    case 'SecurityError':
      return 'denied';
    case 'NotFoundError':
    case 'OverconstrainedError':
      return 'missing';
    case 'NotReadableError':
    case 'AbortError':
      return 'busy';
    default:
      return 'failed';
  }
}

/** Whether somebody can do something about it, and then try again. */
export const isWorthRetry = (trouble: Trouble | undefined): boolean =>
  trouble === 'denied' || trouble === 'busy' || trouble === 'failed';

/** Browsers hide devices from pages that came over plain HTTP from another machine. */
export const isInsecure = (): boolean => !window.isSecureContext;

/** Pictures can be taken out of a camera's track, changed, and put into another one. */
export const canBlur = (): boolean =>
  !isInsecure() &&
  ('MediaStreamTrackProcessor' in window || 'requestVideoFrameCallback' in HTMLVideoElement.prototype);

export const canDenoise = (): boolean => !isInsecure() && 'AudioWorkletNode' in window;

export const canShareScreen = (): boolean => !isInsecure() && 'getDisplayMedia' in navigator.mediaDevices;

/** Whoever hasn't answered the browser's question by then comes in without. */
const SETTLED_MS_MAX = 4_000;

/** Devices being opened. */
const opening = new Set<Promise<unknown>>();

/** Counts what was asked of each device: an answer to an older question is no longer wanted. */
const asked = { microphone: 0, camera: 0 };

export const useLocalMedia = create<LocalMedia>((set, get) => ({
  microphone: null,
  camera: null,
  screen: null,
  screenSound: null,
  trouble: {},
  devices: [],
  has: { microphone: false, camera: false },

  open: capture => {
    // All of it: until the track is known, who waits for it would go in without.
    const opened = openNow(capture);
    opening.add(opened);
    return opened.finally(() => opening.delete(opened));
  },

  close: capture => {
    if (capture !== 'screen') asked[capture]++;
    const track = get()[capture];
    if (!track) return;
    track.onended = null;
    track.stop();
    set({ [capture]: null });
    if (capture === 'screen') {
      get().screenSound?.stop();
      set({ screenSound: null });
    }
  },

  settled: async () => {
    const patience = new Promise(resolve => setTimeout(resolve, SETTLED_MS_MAX));
    await Promise.race([Promise.allSettled([...opening]), patience]);
  },

  openScreen: async () => {
    try {
      const stream = await navigator.mediaDevices.getDisplayMedia(SCREEN);
      const [track] = stream.getVideoTracks();
      if (!track) return null;
      get().close('screen');
      track.onended = () => get().close('screen');
      set({ screen: track, screenSound: stream.getAudioTracks()[0] ?? null });
      return track;
    } catch {
      // Whoever closes the browser's question wants nothing said about it.
      return null;
    }
  },

  sendScreen: track => {
    get().close('screen');
    set({ screen: track });
  },

  closeAll: () => {
    for (const capture of ['microphone', 'camera', 'screen'] as const) get().close(capture);
    set({ trouble: {} });
  },

  listDevices: async () => {
    if (isInsecure()) return;
    const devices = await navigator.mediaDevices.enumerateDevices();
    // Before permission browsers list devices without names.
    set({
      devices: devices.filter(({ deviceId, label }) => deviceId && label),
      has: {
        microphone: devices.some(({ kind }) => kind === 'audioinput'),
        camera: devices.some(({ kind }) => kind === 'videoinput'),
      },
    });
  },
}));

async function openNow(capture: Capture): Promise<MediaStreamTrack | null> {
  const { getState: get, setState: set } = useLocalMedia;
  const say = (trouble: Trouble | undefined) => {
    const told = { ...get().trouble };
    if (trouble) told[capture] = trouble;
    else Reflect.deleteProperty(told, capture);
    set({ trouble: told });
  };
  if (isInsecure()) {
    say('insecure');
    return null;
  }
  const question = ++asked[capture];
  const chosen = useSettings.getState()[capture];
  try {
    const stream = await capturedBy(capture);
    const [device] = stream.getTracks();
    if (!device) return null;
    const track = await improved(capture, device);
    if (question !== asked[capture]) {
      track.stop();
      return null;
    }
    // Another one was chosen while this one was being opened.
    if (chosen !== useSettings.getState()[capture]) {
      track.stop();
      return await openNow(capture);
    }
    const before = get()[capture];
    // Unplugged: the system's choice takes its place, if there is one.
    track.onended = () => {
      if (get()[capture] !== track) return;
      get().close(capture);
      void get().open(capture);
    };
    set({ [capture]: track });
    if (before) {
      before.onended = null;
      before.stop();
    }
    say(undefined);
    void get().listDevices();
    return track;
  } catch (thrown) {
    say(troubleOf(thrown));
    return null;
  }
}
