import type { MeetingState, Participant } from '@huitong/sdk';

/** Who is shown large: whoever speaks, else whoever spoke last, and oneself only when alone. */
export function spotlight(state: MeetingState, before: string | null): string | null {
  const others = state.participants.filter(({ id }) => id !== state.you);
  const candidates = [state.active, before].filter(id => others.some(other => other.id === id));
  const byPicture = others.find(({ camera }) => camera) ?? others[0];
  return candidates[0] ?? byPicture?.id ?? state.you;
}

/** In order of the panel: oneself, hosts, raised hands, who comes first. */
export function inPanelOrder(participants: readonly Participant[], you: string): Participant[] {
  const rank = ({ id, role, hand }: Participant) => (id === you ? 0 : role !== 'member' ? 1 : hand ? 2 : 3);
  return [...participants].sort((a, b) => rank(a) - rank(b));
}

/** What stands for somebody without a picture: two characters of a Chinese name, initials of others. */
export function initials(name: string): string {
  const words = name.trim().split(/\s+/);
  const han = /\p{Script=Han}/u;
  if (han.test(name)) return Array.from(name.replace(/\s/g, '')).slice(-2).join('');
  return words
    .slice(0, 2)
    .map(word => Array.from(word)[0] ?? '')
    .join('')
    .toUpperCase();
}

/** A colour's hue of one's own, the same in every browser. */
export function hueOf(id: string): number {
  return (
    Array.from(id).reduce((hash, character) => (hash * 31 + (character.codePointAt(0) ?? 0)) % 3600, 7) / 10
  );
}
