import { describe, expect, it } from 'vitest';
import { NO_PLACES, type Places, placed } from './gallery';

const ids = ['me', 'a', 'b', 'c', 'd', 'e'];

/** Three a page; these speak one after the other while the page is looked at. */
function after(spoken: string[], page = 0, before: Places = NO_PLACES): Places {
  return [null, ...spoken].reduce<Places>(
    (places, active) => placed(places, ids, active, 'me', { page, size: 3 }),
    before,
  );
}

// product: C19
describe('the gallery', () => {
  it('keeps its order while who speaks is seen, or is oneself', () => {
    expect(after(['a', 'b', 'me', 'a']).order).toEqual(ids);
    const places = after(['a']);
    expect(placed(places, ids, 'a', 'me', { page: 0, size: 3 })).toBe(places);
    expect(after(['me'], 1).order).toEqual(ids);
  });

  it('brings who speaks to the page, in the place of who was silent longest, and moves nobody else', () => {
    expect(after(['e']).order).toEqual(['me', 'a', 'e', 'c', 'd', 'b']);
    expect(after(['b', 'a', 'e']).order).toEqual(['me', 'a', 'e', 'c', 'd', 'b']);
    expect(after(['a', 'b', 'e']).order).toEqual(['me', 'e', 'b', 'c', 'd', 'a']);
    expect(after(['a', 'e', 'd']).order).toEqual(['me', 'd', 'e', 'c', 'a', 'b']);
    expect(after(['a'], 1).order).toEqual(['me', 'e', 'b', 'c', 'd', 'a']);
  });

  it('gives who comes the last place, and forgets who has left', () => {
    const places = after(['e']);
    const now = placed(places, ['me', 'b', 'c', 'd', 'e', 'f'], 'e', 'me', { page: 0, size: 3 });
    expect(now.order).toEqual(['me', 'e', 'c', 'd', 'b', 'f']);
    expect(placed(NO_PLACES, ['me'], 'gone', 'me', { page: 0, size: 3 }).order).toEqual(['me']);
  });
});
