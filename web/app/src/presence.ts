import { useEffect } from 'react';

const nameOf = (meeting: string): string => `huitong-meeting-${meeting}`;

/** Tells this browser's other tabs that this one is in the meeting, as long as it is. */
export function usePresence(meeting: string): void {
  useEffect(() => {
    if (!('locks' in navigator)) return;
    let end = (): void => undefined;
    const held = new Promise<void>(resolve => {
      end = resolve;
    });
    // Shared: a second tab may come in all the same.
    void navigator.locks.request(nameOf(meeting), { mode: 'shared' }, () => held);
    return () => end();
  }, [meeting]);
}

/** Whether another tab of this browser is in the meeting: both would hear each other. */
export async function isElsewhere(meeting: string): Promise<boolean> {
  if (!('locks' in navigator)) return false;
  const { held = [] } = await navigator.locks.query();
  return held.some(({ name }) => name === nameOf(meeting));
}
