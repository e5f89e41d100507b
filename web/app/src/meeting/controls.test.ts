import { Problem, type Meeting, type Source } from '@huitong/sdk';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { useLocalMedia } from '../media/local';
import { followDevices } from './controls';
import { useNotices } from './notices';

const track = (): MediaStreamTrack => ({ stop: vi.fn(), onended: null }) as unknown as MediaStreamTrack;

/** A meeting that answers when it is let. */
class FakeMeeting {
  readonly state = { phase: 'joined' };
  readonly me = { muted: false };
  readonly tracks: Record<Source, MediaStreamTrack | null> = { microphone: null, camera: null, screen: null };
  readonly told: [Source, boolean][] = [];
  readonly answers: ((refusal?: Problem) => void)[] = [];
  track = (source: Source) => this.tracks[source];
  setMicrophone = (wanted: MediaStreamTrack | null) => this.#set('microphone', wanted);
  setCamera = (wanted: MediaStreamTrack | null) => this.#set('camera', wanted);
  setScreen = (wanted: MediaStreamTrack | null) => this.#set('screen', wanted);

  #set(source: Source, wanted: MediaStreamTrack | null): Promise<void> {
    this.tracks[source] = wanted;
    this.told.push([source, wanted !== null]);
    return new Promise((resolve, reject) => {
      this.answers.push(refusal => {
        if (!refusal) return resolve();
        this.tracks[source] = null;
        reject(refusal);
      });
    });
  }
}

const settle = () => new Promise(resolve => setTimeout(resolve));

let meeting: FakeMeeting;
let undo: () => void;
beforeEach(() => {
  meeting = new FakeMeeting();
  undo = followDevices(meeting as unknown as Meeting);
});
afterEach(() => {
  undo();
  useLocalMedia.setState({ microphone: null, camera: null, screen: null });
  useNotices.getState().clear();
});

// product: C2
it('shows all what is open at last, however quickly it was switched', async () => {
  useLocalMedia.setState({ microphone: track() });
  useLocalMedia.setState({ camera: track() });
  useLocalMedia.setState({ camera: null });
  useLocalMedia.setState({ camera: track() });
  useLocalMedia.setState({ camera: null });
  while (meeting.answers.length > 0) {
    meeting.answers.shift()?.();
    await settle();
  }
  expect(meeting.told.filter(([source]) => source === 'camera')).toEqual([
    ['camera', true],
    ['camera', false],
  ]);
  expect(meeting.tracks.camera).toBeNull();
});

// product: C13
it('closes what may not be shown, and says why', async () => {
  const stop = vi.fn();
  const screen = Object.assign(track(), { stop });
  useLocalMedia.setState({ screen });
  meeting.answers.shift()?.(new Problem({ code: 'share_locked', title: '' }));
  await settle();
  expect(useLocalMedia.getState().screen).toBeNull();
  expect(stop).toHaveBeenCalled();
  expect(useNotices.getState().shown).toMatchObject([{ problem: { code: 'share_locked' } }]);
  // It is told once that nothing is shown, and not asked again.
  expect(meeting.told).toEqual([['screen', true]]);
});
