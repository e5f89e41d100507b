/** A page that was reloaded because a file of it is gone; it isn't reloaded again for the same. */
const RELOADED = 'huitong.reloaded';

/** Makes the page installable; it works as well where that can't be. */
export function install(): void {
  window.addEventListener('vite:preloadError', event => {
    // The server has a newer build: whoever is in a meeting stays in it, everybody else has the newer one at once.
    if (window.huitong || sessionStorage.getItem(RELOADED)) return;
    event.preventDefault();
    sessionStorage.setItem(RELOADED, '1');
    location.reload();
  });
  window.addEventListener('load', () => {
    sessionStorage.removeItem(RELOADED);
    if (!('serviceWorker' in navigator) || !window.isSecureContext) return;
    // A browser that keeps nothing, or not from a certificate nobody knows, has a page all the same.
    navigator.serviceWorker.register('/sw.js').catch(() => undefined);
  });
}
