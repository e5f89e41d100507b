import type { Reminder } from '@huitong/sdk';
import { useCallback, useEffect, useState } from 'react';
import { create } from 'zustand';
import { persist } from 'zustand/middleware';
import { rest } from '../rest';

/** How often it is asked what begins. More often would be felt by the server, less by people. */
const ASK_MS = 30_000;

/** How long it is remembered what was put aside: longer than anything is reminded of. */
const FORGET_MS = 3_600_000;

/** One time of a meeting. */
export const keyOf = ({ id, start }: Pick<Reminder, 'id' | 'start'>): string => `${id} ${start}`;

/** A reminder, and when we heard of it on this machine's own clock, which may be wrong about the time of day. */
export type HeardReminder = Reminder & { heardAt: number };

/** Minutes until it begins, rounded up; 0 and less once it has. */
export const minutesLeft = ({ starts_in, heardAt }: HeardReminder, now = performance.now()): number =>
  Math.ceil((starts_in - (now - heardAt) / 1000) / 60);

interface Dismissals {
  /** When each was put aside. */
  at: Record<string, number>;
  dismiss: (key: string) => void;
}

/** What was put aside, for all tabs that are opened later too. */
const useDismissals = create<Dismissals>()(
  persist(
    set => ({
      at: {},
      dismiss: key =>
        set(({ at }) => {
          const kept = Object.entries(at).filter(([, when]) => Date.now() - when < FORGET_MS);
          return { at: { ...Object.fromEntries(kept), [key]: Date.now() } };
        }),
    }),
    { name: 'huitong.dismissed' },
  ),
);

/** What one is reminded of now: asked for again and again, and at once when one comes back to the page. */
export function useReminders() {
  const [heard, setHeard] = useState<HeardReminder[]>([]);
  const { at, dismiss } = useDismissals();

  useEffect(() => {
    let isCurrent = true;
    const ask = () => {
      rest.reminders().then(
        reminders => {
          const heardAt = performance.now();
          if (isCurrent) setHeard(reminders.map(reminder => ({ ...reminder, heardAt })));
        },
        // Asked again soon; whoever is without a network sees that elsewhere.
        () => undefined,
      );
    };
    const askIfSeen = () => {
      if (!document.hidden) ask();
    };
    ask();
    const timer = setInterval(ask, ASK_MS);
    document.addEventListener('visibilitychange', askIfSeen);
    return () => {
      isCurrent = false;
      clearInterval(timer);
      document.removeEventListener('visibilitychange', askIfSeen);
    };
  }, []);

  const reminders = heard.filter(reminder => !(keyOf(reminder) in at));
  return { reminders, dismiss: useCallback((one: Reminder) => dismiss(keyOf(one)), [dismiss]) };
}
