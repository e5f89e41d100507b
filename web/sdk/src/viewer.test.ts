import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ShownTile } from './protocol';
import { Viewer } from './viewer';

type Entry = { target: Element; isIntersecting: boolean };

class FakeObserver {
  static scroll: (entries: Entry[]) => void = () => undefined;
  constructor(changed: (entries: Entry[]) => void) {
    FakeObserver.scroll = changed;
  }
  observe(): void {}
  unobserve(): void {}
  disconnect(): void {}
}

const element = (width: number, height: number) =>
  ({ clientWidth: width, clientHeight: height }) as unknown as Element;

const page = Object.assign(new EventTarget(), {
  visibilityState: 'visible',
  pictureInPictureElement: null as object | null,
});

/** Another tab is looked at, or this one again. */
const look = (state: 'visible' | 'hidden') => {
  page.visibilityState = state;
  page.dispatchEvent(new Event('visibilitychange'));
};

describe('what a page shows', () => {
  const told: ShownTile[][] = [];
  beforeEach(() => {
    told.length = 0;
    vi.useFakeTimers();
    vi.stubGlobal('ResizeObserver', FakeObserver);
    vi.stubGlobal('IntersectionObserver', FakeObserver);
    vi.stubGlobal('devicePixelRatio', 2);
    vi.stubGlobal('document', page);
    Object.assign(page, { visibilityState: 'visible', pictureInPictureElement: null });
  });
  afterEach(() => {
    vi.unstubAllGlobals();
    vi.useRealTimers();
  });

  it('is told once, with what is in view, in pixels of the screen', () => {
    const viewer = new Viewer(tiles => told.push(tiles));
    const [seen, hidden] = [element(320, 181), element(100, 100)];
    const forget = viewer.watch(seen, 'a', 'camera', true);
    viewer.watch(hidden, 'b', 'camera', false);
    FakeObserver.scroll([
      { target: seen, isIntersecting: true },
      { target: hidden, isIntersecting: false },
    ]);
    vi.runAllTimers();
    const tile = { participant: 'a', kind: 'camera', pinned: true, width: 640, height: 368 };
    expect(told).toEqual([[tile]]);
    FakeObserver.scroll([{ target: seen, isIntersecting: true }]);
    vi.runAllTimers();
    expect(told).toHaveLength(1);
    viewer.again();
    vi.runAllTimers();
    expect(told).toEqual([[tile], [tile]]);
    forget();
    vi.runAllTimers();
    expect(told.at(-1)).toEqual([]);
  });

  it('is nothing while it is hidden for longer than a glance elsewhere, unless a picture floats', () => {
    const viewer = new Viewer(tiles => told.push(tiles));
    const seen = element(320, 180);
    viewer.watch(seen, 'a', 'camera', false);
    FakeObserver.scroll([{ target: seen, isIntersecting: true }]);
    vi.runAllTimers();
    look('hidden');
    vi.advanceTimersByTime(9_000);
    look('visible');
    vi.runAllTimers();
    expect(told).toHaveLength(1);
    page.pictureInPictureElement = {};
    look('hidden');
    vi.runAllTimers();
    expect(told).toHaveLength(1);
    page.pictureInPictureElement = null;
    page.dispatchEvent(new Event('leavepictureinpicture'));
    vi.advanceTimersByTime(10_100);
    expect(told).toHaveLength(2);
    expect(told.at(-1)).toEqual([]);
    look('visible');
    vi.runAllTimers();
    expect(told.at(-1)).toEqual(told[0]);
    viewer.close();
    look('hidden');
    vi.runAllTimers();
    expect(told).toHaveLength(3);
  });

  it('is not told by pages that never say', () => {
    const viewer = new Viewer(tiles => told.push(tiles));
    viewer.again();
    vi.runAllTimers();
    expect(told).toEqual([]);
  });
});
