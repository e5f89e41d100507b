import { expect, it } from 'vitest';
import { barredBy } from './attending';
import { withNews } from './chat';
import { asked } from './questions';
import { rising } from './signs';
import { Hurry, askAgainAfter, clock, viewOf } from './watching';
import { preferredLanguage } from './words';

// product: B1
it('waits for a livestream to begin and asks often enough to play it within three seconds', () => {
  expect(viewOf('unknown', null)).toBe('loading');
  expect(viewOf('waiting', null)).toBe('waiting');
  expect(askAgainAfter('waiting')).toBeLessThanOrEqual(1_000);
  expect(askAgainAfter('waiting', 60_000)).toBeLessThanOrEqual(1_000);
  expect(askAgainAfter('waiting', -60_000)).toBeLessThanOrEqual(1_000);
  // Long before its start, thousands don't ask at once.
  expect([0, 1].map(chance => askAgainAfter('waiting', 600_000, chance))).toEqual([5_000, 10_000]);
  expect(askAgainAfter('loading', 600_000)).toBeLessThanOrEqual(1_000);
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

/** A minute of a livestream whose parts of 200 ms come so many at once and so late, looked at four times a second. */
function minute(late: (part: number) => number, together: number) {
  const hurry = new Hurry();
  const target = 0.642;
  let [edge, at, rate, changes, least] = [2.2, 0, 1, 0, Infinity];
  for (let step = 0; step < 6_000; step += 1) {
    const now = 2.2 + step / 100;
    for (let part = together; ; part += together) {
      const end = 2.2 + part * 0.2;
      if (end + 0.1 + late(part) > now) break;
      edge = Math.max(edge, end);
    }
    at += rate / 100;
    least = Math.min(least, edge - at);
    if (step % 25 > 0) continue;
    const next = hurry.rateAt(now, now - at, edge - at, target);
    if (next !== rate) changes += 1;
    rate = next;
  }
  return { behind: 62.2 - at, changes, least };
}

it('comes as near as the livestream allows, and never by what it needs to go on', () => {
  const { behind, changes, least } = minute(() => 0, 1);
  expect(behind).toBeGreaterThan(0.642);
  expect(behind).toBeLessThan(1.1);
  expect(changes).toBeLessThanOrEqual(4);
  expect(least).toBeGreaterThan(0.4);
});

it('neither hurries by fits and starts nor runs dry where parts come in pairs and late', () => {
  for (const late of [
    (part: number) => ((part * 7) % 5) * 0.06,
    (part: number) => (part % 3 === 0 ? 0.3 : 0),
  ]) {
    const { behind, changes, least } = minute(late, 2);
    expect(changes).toBeLessThanOrEqual(4);
    expect(least).toBeGreaterThan(0);
    expect(behind).toBeLessThan(1.8);
  }
});

it('leaves who has gone back where he is, and who has little fetched', () => {
  const rate = (behind: number, ahead: number, target = 0.642) =>
    new Hurry().rateAt(0, behind, ahead, target);
  expect(rate(1.2, 0.7)).toBe(1);
  // He has stalled, and means to be further behind.
  expect(rate(0.9, 0.85, 0.842)).toBe(1);
  expect(rate(6, 5)).toBe(1);
  expect(rate(2.6, 2.5)).toBe(1.5);
  expect(rate(1.4, 1.3)).toBe(1.2);
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

// product: B4
it('shows what most want answered first, and what is answered last', () => {
  const question = (id: number, votes: number) => {
    const [from, name, text] = ['v', 'a', 'b'];
    return { id, from, name, text, at_ms: 0, votes, answered: false };
  };
  const news = { revision: 1, messages: [], removed: [] };
  const first = asked([], { ...news, questions: [question(1, 1), question(2, 3), question(3, 1)] });
  expect(first.map(({ id }) => id)).toEqual([2, 1, 3]);
  const changed = [
    { id: 3, votes: 9, answered: false },
    { id: 2, votes: 3, answered: true },
    // One that was never told whole is none.
    { id: 7, votes: 9, answered: false },
  ];
  const then = asked(first, { ...news, removed: [1], questions: changed });
  expect(then.map(({ id, votes }) => [id, votes])).toEqual([
    [3, 9],
    [2, 3],
  ]);
});

// product: B4
it('lets some of thousands of reactions rise, of each kind at least one', () => {
  const clap = (count: number) => ({ reaction: 'clap' as const, count });
  const heart = { reaction: 'heart' as const, count: 3 };
  expect(rising([clap(5)], [clap(7), heart])).toEqual(['clap', 'heart', 'clap', 'heart', 'heart']);
  expect(rising([clap(5)], [clap(5)])).toEqual([]);
  const many = rising([], [clap(5_000), heart]);
  expect(many.length).toBeLessThanOrEqual(12);
  expect(new Set(many)).toEqual(new Set(['clap', 'heart']));
});
