import { useSyncExternalStore } from 'react';

/** A browser of a telephone may have it for films alone. */
export const canFullScreen = (): boolean => document.fullscreenEnabled;

/** Refused where the page may not; then nothing happens. */
export function toggleFullScreen(): void {
  const change = document.fullscreenElement
    ? document.exitFullscreen()
    : document.documentElement.requestFullscreen();
  change.catch(() => undefined);
}

/** Whether the page has the whole screen. */
export function useFullScreen(): boolean {
  return useSyncExternalStore(follow, () => document.fullscreenElement !== null);
}

function follow(changed: () => void): () => void {
  document.addEventListener('fullscreenchange', changed);
  return () => document.removeEventListener('fullscreenchange', changed);
}
