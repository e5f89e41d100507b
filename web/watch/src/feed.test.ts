import { afterEach, expect, it, vi } from 'vitest';
import { Feed } from './feed';

afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

// product: B4
it('goes on asking for a viewer who looks elsewhere while his hand is up', async () => {
  vi.useFakeTimers();
  const page = { visibilityState: 'visible', addEventListener: () => undefined };
  vi.stubGlobal('document', page);
  vi.stubGlobal('sessionStorage', { getItem: () => null });
  const asked = vi.fn(() => Promise.resolve(Response.json({ revision: 1, messages: [], removed: [] })));
  vi.stubGlobal('fetch', asked);
  const asks = async () => {
    asked.mockClear();
    await vi.advanceTimersByTimeAsync(10_000);
    return asked.mock.calls.length;
  };
  let isHandUp = true;
  const feed = new Feed(
    'f00d',
    () => undefined,
    () => isHandUp,
  );
  feed.setLivestream('a');
  feed.setOn(true);
  expect(await asks()).toBeGreaterThan(3);
  page.visibilityState = 'hidden';
  expect(await asks()).toBeGreaterThan(3);
  isHandUp = false;
  expect(await asks()).toBeLessThan(2);
  expect(await asks()).toBe(0);
});
