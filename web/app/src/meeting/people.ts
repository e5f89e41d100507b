import type { MeetingState, Participant } from '@huitong/sdk';

/**
 * Who is shown large: whom one has pinned, whom the host shows to all, whoever speaks, else whoever spoke last; oneself
 * only when alone.
 */
export function spotlight(state: MeetingState, before: string | null, pinned?: string | null): string | null {
  const own = state.participants.find(({ id }) => id === state.you)?.room;
  // Who is in another breakout room isn't seen here.
  const here = state.participants.filter(({ room }) => room === own);
  const wanted = [pinned, state.meeting.spotlight].find(id =>
    here.some(participant => participant.id === id),
  );
  if (wanted) return wanted;
  const others = here.filter(({ id }) => id !== state.you);
  const candidates = [state.active, before].filter(id => others.some(other => other.id === id));
  const byPicture = others.find(({ camera }) => camera) ?? others[0];
  return candidates[0] ?? byPicture?.id ?? state.you;
}

/** So few are found by looking. */
export const SEARCHED_MIN = 4;

/** Whether a search means this one: by a part of his name or number, whatever the case. */
export function isMeant({ name, number }: Participant, search: string): boolean {
  const wanted = search.trim().toLocaleLowerCase();
  return [name, number ?? ''].some(text => text.toLocaleLowerCase().includes(wanted));
}

/** In order of the panel: oneself, hosts, raised hands, who comes first. */
export function inPanelOrder(participants: readonly Participant[], you: string): Participant[] {
  const rank = ({ id, role, hand }: Participant) => (id === you ? 0 : role !== 'member' ? 1 : hand ? 2 : 3);
  return [...participants].sort((a, b) => rank(a) - rank(b));
}

/** A colour's hue of one's own, the same in every browser. */
export function hueOf(id: string): number {
  return (
    Array.from(id).reduce((hash, character) => (hash * 31 + (character.codePointAt(0) ?? 0)) % 3600, 7) / 10
  );
}
