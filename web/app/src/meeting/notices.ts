import { Problem, type Notice } from '@huitong/sdk';
import { create } from 'zustand';

/** How long a notice stays; one that asks something stays until it is answered. */
const SHOWN_MS = 6_000;

/** More at once would cover the meeting: the others wait. */
const SHOWN_MAX = 3;

/** What waits for an answer. */
const ASKS: ReadonlySet<Told['kind']> = new Set([
  'asked_to_unmute',
  'asked_to_show',
  'ends_soon',
  'knock',
  'help',
  'announced',
  'music',
  'sound_muted',
]);

/** What is no longer so once the other is said. */
const ENDS: Partial<Record<Told['kind'], readonly Told['kind'][]>> = {
  muted: ['unmuted', 'asked_to_unmute'],
  unmuted: ['muted', 'asked_to_unmute'],
  asked_to_unmute: ['muted'],
  camera_stopped: ['asked_to_show'],
  asked_to_show: ['camera_stopped'],
  recording: ['not_recording'],
  not_recording: ['recording'],
};

export type Told =
  | { kind: Notice | 'recording' | 'not_recording' | 'sound_muted' }
  | { kind: 'knock' | 'hand' | 'viewer_hand'; names: string[] }
  | { kind: 'help'; names: string[]; room: number }
  | { kind: 'announced'; from: string; text: string }
  | { kind: 'poll'; text: string }
  | { kind: 'music' | 'silent_line'; who: string; name: string }
  | { kind: 'said'; from: string; text: string; file: string | null; isPrivate: boolean }
  | { kind: 'problem'; problem: Problem }
  | { kind: 'trouble'; device: 'microphone' | 'camera' };

interface Notices {
  /** All that was told and neither answered nor old; {@link inPlace} chooses those that are shown. */
  shown: (Told & { id: number })[];
  tell: (told: Told) => void;
  tellProblem: (thrown: unknown) => void;
  tellTrouble: (device: 'microphone' | 'camera') => void;
  dismiss: (id: number) => void;
  /** What these said has been seen elsewhere. */
  forget: (kinds: readonly Told['kind'][]) => void;
  clear: () => void;
}

let lastId = 0;

/** What the page says to its user in passing. */
export const useNotices = create<Notices>((set, get) => ({
  shown: [],
  tell: told => {
    const id = ++lastId;
    // The same said again replaces what was said, and so does the contrary.
    get().forget([told.kind, ...(ENDS[told.kind] ?? [])]);
    set({ shown: [...get().shown, { ...told, id }] });
    if (!ASKS.has(told.kind)) setTimeout(() => get().dismiss(id), SHOWN_MS);
  },
  tellProblem: thrown => get().tell({ kind: 'problem', problem: Problem.from(thrown) }),
  tellTrouble: device => get().tell({ kind: 'trouble', device }),
  dismiss: id => set({ shown: get().shown.filter(notice => notice.id !== id) }),
  forget: kinds => set({ shown: get().shown.filter(({ kind }) => !kinds.includes(kind)) }),
  clear: () => set({ shown: [] }),
}));

/** Those there is room for: the newest, then what asks, then what passes; what asks comes back when a place is free. */
export function inPlace<One extends Pick<Told, 'kind'>>(told: readonly One[]): One[] {
  const newest = told.at(-1);
  const older = told.slice(0, -1);
  const asks = ({ kind }: One) => ASKS.has(kind);
  const kept = [...older.filter(one => !asks(one)), ...older.filter(asks)].slice(1 - SHOWN_MAX);
  return told.filter(one => one === newest || kept.includes(one));
}
