import { useEffect } from 'react';

/** Keeps the screen on: whoever listens doesn't touch it. */
export function useWakeLock(): void {
  useEffect(() => {
    if (!('wakeLock' in navigator)) return;
    let lock: WakeLockSentinel | null = null;
    let isOver = false;
    const ask = async () => {
      if (document.visibilityState !== 'visible') return;
      // Refused on low battery; then the screen goes dark and nothing else happens.
      const sentinel = await navigator.wakeLock.request('screen').catch(() => null);
      if (isOver) void sentinel?.release();
      else lock = sentinel;
    };
    const again = () => void ask();
    again();
    // Browsers take it back with every change of tabs.
    document.addEventListener('visibilitychange', again);
    return () => {
      isOver = true;
      document.removeEventListener('visibilitychange', again);
      void lock?.release();
    };
  }, []);
}
