import type { OwnMeeting } from '@huitong/sdk';
import { expect, test } from 'vitest';
import { bodyOf, freeFor, keptOf, movedTo, newDraft, withOption } from './draft';

const options = {
  host_video: true,
  participant_video: true,
  join_before_host: true,
  mute_on_entry: false,
  waiting_room: false,
  livestream: false,
  recording: false,
  webinar: false,
  approval: false,
};

const series: OwnMeeting = {
  id: 'a',
  number: '123456789',
  title: '周会',
  password: null,
  state: 'idle',
  mode: 'dedicated',
  capacity: 50,
  room: null,
  options,
  zone: 'Asia/Shanghai',
  recurrence: 'FREQ=DAILY;COUNT=4',
  start: '2026-03-02T01:00:07Z',
  duration: 60,
  early_start: 0,
  personal: false,
  dial: { sip: '', one_touch: '' },
  link: '',
  watch: null,
};

const held = ['2026-03-02', '2026-03-03', '2026-03-04', '2026-03-05'].map(day => {
  const start = `${day}T01:00:07Z`;
  return { occurrence: start, start, end: `${day}T02:00:07Z` };
});

// product: S
test('what is not changed of the times of a series that has begun stays as it was', () => {
  const kept = keptOf(series, held, new Date('2026-03-03T05:00:00Z'));
  expect([kept.draft.day, kept.draft.time, kept.draft.recurrence?.end]).toEqual([
    '2026-03-04',
    '09:00',
    { count: 2 },
  ]);
  const body = bodyOf({ ...kept.draft, duration: 90 }, 'dedicated', kept);
  expect([body.start, body.recurrence, body.duration]).toEqual([series.start, series.recurrence, 90]);
});

// product: S
test('another clock time of a series that has begun counts from the next time on', () => {
  const kept = keptOf(series, held, new Date('2026-03-03T05:00:00Z'));
  const body = bodyOf({ ...kept.draft, time: '10:30' }, 'dedicated', kept);
  expect([body.start, body.recurrence]).toEqual(['2026-03-04T02:30:00.000Z', 'FREQ=DAILY;COUNT=2']);
});

// product: S
test('a booking keeps its start to the second, and another rule alone moves none that is fixed', () => {
  const concurrent: OwnMeeting = { ...series, mode: 'concurrent' };
  const kept = keptOf(concurrent, held, new Date('2026-03-03T05:00:00Z'));
  const { recurrence } = kept.draft;
  const draft = { ...kept.draft, recurrence: recurrence && { ...recurrence, end: { count: 6 } } };
  const body = bodyOf(draft, 'concurrent', kept);
  expect([body.start, body.recurrence]).toEqual([series.start, 'FREQ=DAILY;COUNT=6']);
});

// product: S
test('what a booking holds itself is free for it while its time stays', () => {
  const room = { id: 'r', name: '会议室', capacity: 20, free: false };
  const free = { ports_free: 190, rooms: [room, { ...room, id: 'other' }] };
  const concurrent = keptOf({ ...series, mode: 'concurrent', capacity: 10 }, held, new Date(0));
  expect(freeFor(free, concurrent.draft, undefined)).toBe(free);
  expect(freeFor(free, concurrent.draft, concurrent).ports_free).toBe(200);
  expect(freeFor(free, { ...concurrent.draft, time: '10:30' }, concurrent)).toBe(free);
  expect(freeFor(free, { ...concurrent.draft, earlyStart: 30 }, concurrent)).toBe(free);
  const shared = keptOf({ ...series, mode: 'shared', room: 'r' }, held, new Date(0));
  const { ports_free: ports, rooms } = freeFor(free, shared.draft, shared);
  expect([ports, ...rooms.map(one => one.free)]).toEqual([190, true, false]);
});

// product: S5
test('a series moves with the day it begins on', () => {
  // A Wednesday.
  const draft = { ...newDraft('周会', new Date()), day: '2026-12-02' };
  const weekly = { frequency: 'WEEKLY' as const, interval: 1, end: { count: 10 } };
  for (const [before, after] of [
    [['WE'], ['FR']],
    [
      ['MO', 'WE'],
      ['MO', 'FR'],
    ],
    [
      ['WE', 'FR'],
      ['WE', 'FR'],
    ],
    [['TU'], ['TU']],
  ] as const) {
    const moved = movedTo('2026-12-04', { ...draft, recurrence: { ...weekly, days: [...before] } });
    expect(moved).toEqual({ day: '2026-12-04', recurrence: { ...weekly, days: after } });
  }
  // It doesn't end before it begins.
  const ending = { ...weekly, days: [], end: { until: '2026-12-31' } };
  expect(movedTo('2026-12-31', { ...draft, recurrence: ending }).recurrence?.end).toEqual({
    until: '2026-12-31',
  });
  expect(movedTo('2027-01-01', { ...draft, recurrence: ending }).recurrence?.end).toEqual({
    until: '2027-04-01',
  });
  expect(movedTo('2026-12-04', draft)).toEqual({ day: '2026-12-04' });
});

// product: B7
test('a webinar has a livestream, and nobody is approved without one', () => {
  const webinar = withOption(withOption(options, 'webinar', true), 'approval', true);
  expect(webinar).toMatchObject({ livestream: true, webinar: true, approval: true });
  expect(withOption(webinar, 'livestream', false)).toEqual(options);
  expect(withOption(webinar, 'webinar', false)).toMatchObject({ livestream: true, approval: false });
});
