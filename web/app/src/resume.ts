import type { Meeting, ParticipantId } from '@huitong/sdk';
import type { Entry } from './parts/JoinForm';

/*
 * One's seat, kept by the tab: after a crash, or where the page is loaded anew, one sits down in the same place instead of
 * beside oneself.
 */

interface Kept {
  secret: string;
  you: ParticipantId;
}

const key = (meeting: string): string => `huitong.seat.${meeting}`;

export function keptSeat(meeting: string): Kept | null {
  return JSON.parse(sessionStorage.getItem(key(meeting)) ?? 'null') as Kept | null;
}

export function keepSeat({ you, resume, state }: Meeting): void {
  if (resume) sessionStorage.setItem(key(state.meeting.id), JSON.stringify({ secret: resume, you }));
}

export function forgetSeat(meeting: string): void {
  sessionStorage.removeItem(key(meeting));
}

/** Where one was when the page was left. */
const LEFT = 'huitong.left';

/** For so long the server keeps the seat of whose page is gone. */
const KEPT_MS = 15_000;

/** The page is being left, from within a meeting. */
export function keepEntry(entry: Entry): void {
  sessionStorage.setItem(LEFT, JSON.stringify({ entry, at: Date.now() }));
}

/** Looked at once, as the page begins: a page that is opened later asks first. */
let reloaded = lookBack();

function lookBack(): Entry | null {
  const left = JSON.parse(sessionStorage.getItem(LEFT) ?? 'null') as { entry: Entry; at: number } | null;
  sessionStorage.removeItem(LEFT);
  const [navigation] = performance.getEntriesByType('navigation') as PerformanceNavigationTiming[];
  const isReload = navigation?.type === 'reload';
  return isReload && left && Date.now() - left.at < KEPT_MS ? left.entry : null;
}

/** What one was in this meeting with, where the page was loaded anew a moment ago. */
export function reloadedEntry(number: string): Entry | null {
  return reloaded?.door.number === number ? reloaded : null;
}

/** One has been led back to where one was. */
export function forgetReload(): void {
  reloaded = null;
}
