import type { ChatMessage, ParticipantId, Reaction, ReactionSum } from '@huitong/sdk';
import { create } from 'zustand';

/** In the place of whom a message is for: those who watch the livestream, and all. */
export const VIEWERS = 'viewers';

/** How long a reaction is shown. */
const REACTION_MS = 4_000;

interface Talk {
  /** The meeting's id. */
  meeting: string;
  /** What is being written: it outlives the panel, and a connection that was lost for good. */
  draft: string;
  /** Whom the next message is for: null for all, {@link VIEWERS} for these. */
  to: ParticipantId | null;
  /** What the chat's panel shows: what is written, or what viewers of the livestream ask. */
  side: 'chat' | 'viewers';
  /** The newest message that was seen. */
  seen: number;
  /** The last reaction of each, while it is shown. */
  reactions: Readonly<Record<ParticipantId, { reaction: Reaction; id: number }>>;
  /** What viewers of the livestream have said without words of late. */
  viewersReacted: Readonly<Partial<Record<Reaction, number>>>;
  /** What one voted, by poll: the server tells nobody. */
  votes: Readonly<Record<number, readonly number[]>>;
  /** Shown large for oneself alone. */
  pinned: ParticipantId | null;
  write: (draft: string) => void;
  address: (to: ParticipantId | null) => void;
  turnTo: (side: Talk['side']) => void;
  see: (newest: number) => void;
  react: (participant: ParticipantId, reaction: Reaction) => void;
  viewersReact: (sums: readonly ReactionSum[]) => void;
  keepVote: (poll: number, choices: readonly number[]) => void;
  pin: (participant: ParticipantId | null) => void;
  /** Another meeting, or the same one anew; what was said before one came was seen by others. */
  begin: (newest: number, meeting: string) => void;
}

let lastReaction = 0;

/** What the page keeps of talk beside the meeting's own state. */
export const useTalk = create<Talk>((set, get) => ({
  meeting: '',
  draft: '',
  to: null,
  side: 'chat',
  seen: 0,
  reactions: {},
  viewersReacted: {},
  votes: {},
  pinned: null,
  write: draft => set({ draft }),
  address: to => set({ to }),
  turnTo: side => set({ side }),
  see: newest => {
    if (newest > get().seen) set({ seen: newest });
  },
  react: (participant, reaction) => {
    const id = ++lastReaction;
    set({ reactions: { ...get().reactions, [participant]: { reaction, id } } });
    setTimeout(() => {
      const { [participant]: shown, ...others } = get().reactions;
      if (shown?.id === id) set({ reactions: others });
    }, REACTION_MS);
  },
  viewersReact: sums => {
    const count = (by: 1 | -1) => {
      const all = { ...get().viewersReacted };
      for (const sum of sums) all[sum.reaction] = (all[sum.reaction] ?? 0) + by * sum.count;
      set({ viewersReacted: all });
    };
    count(1);
    setTimeout(() => count(-1), REACTION_MS);
  },
  keepVote: (poll, choices) => set({ votes: { ...get().votes, [poll]: choices } }),
  pin: pinned => set({ pinned }),
  begin: (newest, meeting) =>
    set({
      // A draft goes with whom it was for: what was meant for one is never offered to all.
      ...(meeting !== get().meeting && { meeting, draft: '', to: null }),
      side: 'chat',
      seen: newest,
      reactions: {},
      votes: {},
      pinned: null,
    }),
}));

/** How many messages of others came since one last looked. */
export function unread(
  chat: readonly Pick<ChatMessage, 'id' | 'from'>[],
  seen: number,
  you: ParticipantId,
): number {
  return chat.filter(({ id, from }) => id > seen && from !== you).length;
}

/** Pieces of a message: what looks like a web address is one. */
export function pieces(text: string): { text: string; isLink: boolean }[] {
  return text
    .split(/(https?:\/\/[^\s<>"'，。；！？、（）]+)/u)
    .filter(Boolean)
    .map(piece => ({ text: piece, isLink: /^https?:\/\/\S/.test(piece) }));
}
