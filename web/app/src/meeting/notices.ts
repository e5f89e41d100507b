import { Problem, type Notice } from '@huitong/sdk';
import { create } from 'zustand';

/** How long a notice stays; one that asks something stays until it is answered. */
const SHOWN_MS = 6_000;

/** More at once would cover the meeting: the oldest goes. */
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

export type Told =
  | { kind: Notice | 'recording' | 'not_recording' | 'sound_muted' }
  | { kind: 'knock' | 'hand'; names: string[] }
  | { kind: 'help'; names: string[]; room: number }
  | { kind: 'announced'; from: string; text: string }
  | { kind: 'poll'; text: string }
  | { kind: 'music' | 'silent_line'; who: string; name: string }
  | { kind: 'said'; from: string; text: string; file: string | null; isPrivate: boolean }
  | { kind: 'problem'; problem: Problem }
  | { kind: 'trouble'; device: 'microphone' | 'camera' };

interface Notices {
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
    // The same said again replaces what was said.
    const others = get().shown.filter(({ kind }) => kind !== told.kind);
    set({ shown: [...others, { ...told, id }].slice(-SHOWN_MAX) });
    if (!ASKS.has(told.kind)) setTimeout(() => get().dismiss(id), SHOWN_MS);
  },
  tellProblem: thrown => get().tell({ kind: 'problem', problem: Problem.from(thrown) }),
  tellTrouble: device => get().tell({ kind: 'trouble', device }),
  dismiss: id => set({ shown: get().shown.filter(notice => notice.id !== id) }),
  forget: kinds => set({ shown: get().shown.filter(({ kind }) => !kinds.includes(kind)) }),
  clear: () => set({ shown: [] }),
}));
