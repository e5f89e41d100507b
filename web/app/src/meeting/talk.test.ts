import { expect, it } from 'vitest';
import { gradeOf, sampleOf } from './quality';
import { pieces, unread } from './talk';

// product: C21
it('counts what others said since one looked', () => {
  const said = (id: number, from: string) => ({ id, from, name: from, to: null, text: '', at_ms: 0 });
  const chat = [said(1, 'a'), said(2, 'me'), said(3, 'a'), said(4, 'b')];
  expect(unread(chat, 1, 'me')).toBe(2);
  expect(unread(chat, 4, 'me')).toBe(0);
});

it('finds addresses in a message, and nothing else that could be opened', () => {
  expect(pieces('看 https://a.example/x?y=1，好吗')).toEqual([
    { text: '看 ', isLink: false },
    { text: 'https://a.example/x?y=1', isLink: true },
    { text: '，好吗', isLink: false },
  ]);
  expect(pieces('javascript:alert(1) http://').some(({ isLink }) => isLink)).toBe(false);
  expect(pieces('')).toEqual([]);
});

it('tells a good network from a poor one', () => {
  const stats = (lost: number, packets: number, bytes: number) => ({
    publish: { state: 'connected' as const, roundTrip: 0.05, tracks: [] },
    subscribe: {
      state: 'connected' as const,
      roundTrip: 0.05,
      slots: [{ lost, packets, bytes }] as never[],
    },
  });
  const good = sampleOf(stats(0, 0, 0), stats(0, 300, 375_000), 3_000);
  expect(good).toMatchObject({ roundTripMs: 50, lost: 0, receivedKbit: 1_000 });
  expect(gradeOf(good, false)).toBe('good');
  // The bars and the banner say the same: what the server has found.
  expect(gradeOf(good, true)).toBe('poor');
  expect(gradeOf(sampleOf(stats(0, 0, 0), stats(30, 270, 0), 3_000), false)).toBe('fair');
  expect(sampleOf(stats(50, 900, 9), stats(0, 0, 0), 3_000)).toMatchObject({ lost: 0, receivedKbit: 0 });
});
