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

describe('what a page shows', () => {
  const told: ShownTile[][] = [];
  beforeEach(() => {
    told.length = 0;
    vi.useFakeTimers();
    vi.stubGlobal('ResizeObserver', FakeObserver);
    vi.stubGlobal('IntersectionObserver', FakeObserver);
    vi.stubGlobal('devicePixelRatio', 2);
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

  it('is not told by pages that never say', () => {
    const viewer = new Viewer(tiles => told.push(tiles));
    viewer.again();
    vi.runAllTimers();
    expect(told).toEqual([]);
  });
});
