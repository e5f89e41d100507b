// @vitest-environment happy-dom
import type { OwnMeeting, Piece } from '@huitong/sdk';
import { act, createElement, useLayoutEffect } from 'react';
import { createRoot } from 'react-dom/client';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { rest } from '../rest';
import { useMeetings } from './useMeetings';

const meeting = (id: string) => ({ id, occurrence: null }) as unknown as OwnMeeting;
const piece = (ids: string, next: string | null = null): Piece<OwnMeeting> => ({
  items: ids.split('').map(meeting),
  next,
});

/** What a page that uses it has, as it is now. */
const page: { list: ReturnType<typeof useMeetings> } = {} as never;
let root: ReturnType<typeof createRoot>;
function Page({ search }: { search: string }) {
  const list = useMeetings('upcoming', search);
  useLayoutEffect(() => {
    page.list = list;
  });
  return null;
}
/** Does something, and lets the page become what comes of it. */
const does = (action: () => unknown) => act(() => Promise.resolve(action()).then(() => undefined));
const show = (search: string) => does(() => root.render(createElement(Page, { search })));
const ids = () => page.list.meetings?.map(({ id }) => id).join('');

beforeEach(() => {
  vi.stubGlobal('IS_REACT_ACT_ENVIRONMENT', true);
  root = createRoot(document.createElement('div'));
});
afterEach(async () => {
  await does(() => root.unmount());
  vi.restoreAllMocks();
  vi.useRealTimers();
});

// product: S6
it('shows a deleted meeting never again, however long its deletion takes', async () => {
  vi.useFakeTimers();
  const asked = vi.spyOn(rest, 'meetings').mockResolvedValue(piece('ab'));
  let isDone: () => void = () => undefined;
  vi.spyOn(rest, 'deleteMeeting').mockReturnValue(new Promise(resolve => (isDone = resolve)));
  await show('');
  await does(() => page.list.remove({ meeting: meeting('a'), isSeries: false }));
  expect(ids()).toBe('b');
  await does(() => vi.advanceTimersByTimeAsync(6_000));
  expect(page.list.deletion).toBeNull();
  expect(ids()).toBe('b');
  asked.mockReturnValue(new Promise(() => undefined));
  await does(() => isDone());
  expect(ids()).toBe('b');
});

it('shows it again where it could not be deleted', async () => {
  vi.useFakeTimers();
  vi.spyOn(rest, 'meetings').mockResolvedValue(piece('ab'));
  vi.spyOn(rest, 'deleteMeeting').mockRejectedValue(new Error('no'));
  await show('');
  await does(() => page.list.remove({ meeting: meeting('a'), isSeries: false }));
  await does(() => vi.advanceTimersByTimeAsync(6_000));
  expect(ids()).toBe('ab');
});

// product: S6
it('puts nothing of an earlier search below what is found by this one, and nothing twice', async () => {
  const answers: ((found: Piece<OwnMeeting>) => void)[] = [];
  vi.spyOn(rest, 'meetings').mockImplementation(({ search, cursor } = {}) =>
    cursor
      ? new Promise(resolve => answers.push(resolve))
      : Promise.resolve(piece(search || 'ab', `${search} 2`)),
  );
  await show('');
  await does(() => {
    void page.list.more();
    void page.list.more();
  });
  await does(() => answers.splice(0).forEach(answer => answer(piece('c', '3'))));
  expect(ids()).toBe('abc');
  await does(() => void page.list.more());
  await show('x');
  await does(() => answers.splice(0).forEach(answer => answer(piece('d'))));
  expect(ids()).toBe('x');
  expect(page.list.hasMore).toBe(true);
});
