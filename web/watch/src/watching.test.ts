import { expect, it } from 'vitest';
import { barredBy } from './attending';
import { withNews } from './chat';
import { askAgainAfter, clock, rateOf, viewOf } from './watching';
import { preferredLanguage } from './words';

// product: B1
it('waits for a livestream to begin and asks often enough to play it within three seconds', () => {
  expect(viewOf('unknown', null)).toBe('loading');
  expect(viewOf('waiting', null)).toBe('waiting');
  expect(askAgainAfter('waiting')).toBeLessThanOrEqual(1_000);
});

it('tells an interruption from the end', () => {
  expect(viewOf('live', 'broken')).toBe('resuming');
  expect(viewOf('waiting', 'broken')).toBe('resuming');
  expect(viewOf('live', 'buffering')).toBe('buffering');
  expect(viewOf('live', 'ended')).toBe('ended');
  expect(viewOf('ended', 'broken')).toBe('ended');
  expect(viewOf('ended', null)).toBe('ended');
});

it('goes on playing what plays', () => {
  expect(viewOf('unreachable', 'playing')).toBe('playing');
  expect(viewOf('waiting', 'playing')).toBe('playing');
  expect(viewOf('unreachable', 'broken')).toBe('unreachable');
  expect(viewOf('missing', null)).toBe('missing');
});

it('comes as near as the livestream allows, and never by what it needs to go on', () => {
  const target = 0.642;
  let [behind, ahead] = [2.2, 2.1];
  // Looks four times a second; parts of 200 ms come.
  for (let looks = 0; looks < 240; looks += 1) {
    const gained = (rateOf(behind, ahead - (looks % 4) * 0.05, target) - 1) / 4;
    behind -= gained;
    ahead -= gained;
  }
  expect(behind).toBeGreaterThan(target);
  expect(behind).toBeLessThan(0.95);
  // Who has little fetched waits, and so does who has stalled: he means to be further behind.
  expect(rateOf(1.2, 0.7, target)).toBe(1);
  expect(rateOf(0.9, 0.85, target + 0.2)).toBe(1);
  // Who has gone back is left there.
  expect(rateOf(6, 5, target)).toBe(1);
  expect(rateOf(2.6, 2.5, target)).toBe(1.5);
});

it('writes times as people read them', () => {
  expect([0, 5.9, 65, 3_723].map(clock)).toEqual(['0:00', '0:05', '1:05', '1:02:03']);
});

// product: B5
it('knows a refusal from a failure', () => {
  expect(barredBy('watch_password_needed')).toBe('password');
  expect(barredBy('too_many_tries')).toBe('tries');
  expect(barredBy('failed')).toBeNull();
  expect(viewOf('barred', null)).toBe('barred');
  expect(viewOf('barred', 'playing')).toBe('playing');
});

// product: A7
it('speaks the language that was chosen, else the browser’s', () => {
  expect(preferredLanguage(null, 'zh-TW')).toBe('zh-CN');
  expect(preferredLanguage(null, 'de-DE')).toBe('en');
  expect(preferredLanguage('zh-CN', 'en-GB')).toBe('zh-CN');
  expect(preferredLanguage('nonsense', 'zh')).toBe('zh-CN');
});

// product: B4
it('shows what is written once, and no longer what was taken back', () => {
  const said = (id: number) => ({ id, from: 'a', name: 'a', text: `${id}`, at_ms: 0, host: false });
  const first = withNews([], { revision: 2, messages: [said(1), said(3)], removed: [] });
  const then = withNews(first, { revision: 4, messages: [said(3), said(4)], removed: [1] });
  expect(then.map(({ id }) => id)).toEqual([3, 4]);
  const many = Array.from({ length: 300 }, (_, id) => said(id + 10));
  expect(withNews(then, { revision: 9, messages: many, removed: [] })).toHaveLength(200);
});
