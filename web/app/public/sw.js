/*
 * Makes the page installable, quick to start again, and able to say that there is no network.
 *
 * Pages always come from the server: a stale one is never shown. What has a hash in its name never changes and is kept.
 * Words, media and whatever else is not named here pass by untouched; of what the server says only its numbers are kept.
 */

/** Raised when what is kept is to be thrown away. */
const KEPT = 'huitong-1';

/** Shown where a page can't be fetched. */
const OFFLINE = ['/offline.html', '/favicon.svg', '/dial.js'];

/** What the server says of itself: whoever has no network may still have a telephone. */
const INFO = '/api/v1/info';

/** Files kept: some builds. The oldest go. */
const FILES_MAX = 250;

self.addEventListener('install', event => {
  const keep = async () => {
    const cache = await caches.open(KEPT);
    await cache.addAll([...OFFLINE, INFO].map(url => new Request(url, { cache: 'reload' })));
    await self.skipWaiting();
  };
  event.waitUntil(keep());
});

self.addEventListener('activate', event => {
  const begin = async () => {
    for (const name of await caches.keys()) if (name !== KEPT) await caches.delete(name);
    await self.clients.claim();
  };
  event.waitUntil(begin());
});

self.addEventListener('fetch', event => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (request.method !== 'GET' || origin !== self.location.origin) return;
  if (request.mode === 'navigate') event.respondWith(page(request));
  else if (pathname.startsWith('/assets/')) event.respondWith(file(request));
  else if (pathname === INFO) event.respondWith(fresh(request));
  else if (OFFLINE.includes(pathname)) event.respondWith(fetch(request).catch(() => caches.match(request)));
});

async function page(request) {
  try {
    return await fetch(request);
  } catch {
    return (await caches.match('/offline.html')) ?? Response.error();
  }
}

/** As it is now; where the server can't be reached, as it was last. */
async function fresh(request) {
  try {
    const response = await fetch(request);
    if (response.ok) {
      const cache = await caches.open(KEPT);
      await cache.put(INFO, response.clone()).catch(() => undefined);
    }
    return response;
  } catch {
    return (await caches.match(INFO, { ignoreVary: true })) ?? Response.error();
  }
}

async function file(request) {
  const cache = await caches.open(KEPT);
  const kept = await cache.match(request);
  if (kept) return kept;
  const response = await fetch(request);
  // A part of a file is no file.
  if (response.status === 200) {
    await cache.put(request, response.clone()).catch(() => undefined);
    const names = await cache.keys();
    const files = names.filter(({ url }) => new URL(url).pathname.startsWith('/assets/'));
    await Promise.all(files.slice(0, Math.max(0, files.length - FILES_MAX)).map(old => cache.delete(old)));
  }
  return response;
}
