import { expect, it } from 'vitest';
import { nextHalfHour, recurrenceOf, ruleOf, unitOf, weekdayOf } from './recurrence';

// product: S5
it('writes the rule of a series and reads it again', () => {
  const weekly = {
    frequency: 'WEEKLY',
    interval: 2,
    days: ['FR', 'MO'],
    end: { count: 10 },
  } as const;
  expect(ruleOf({ ...weekly, days: [...weekly.days] })).toBe('FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,FR;COUNT=10');
  for (const end of [{ count: 3 }, { until: '2026-12-31' }]) {
    const daily = { frequency: 'DAILY', interval: 1, days: [], end } as const;
    expect(recurrenceOf(ruleOf({ ...daily, days: [] }))).toEqual(daily);
  }
});

it('leaves alone what the form has no words for', () => {
  expect(recurrenceOf('FREQ=YEARLY;COUNT=2')).toBeNull();
  expect(recurrenceOf('FREQ=MONTHLY;BYDAY=2MO;COUNT=2')).toBeNull();
  expect(recurrenceOf('FREQ=DAILY')).toBeNull();
  expect(recurrenceOf('nonsense')).toBeNull();
});

it('begins a booking at the next half hour', () => {
  expect(nextHalfHour(new Date('2026-05-04T09:01:00'))).toEqual(new Date('2026-05-04T09:30:00'));
  expect(nextHalfHour(new Date('2026-05-04T09:20:00'))).toEqual(new Date('2026-05-04T10:00:00'));
  expect(weekdayOf(new Date('2026-05-04T09:20:00'))).toBe('MO');
});

it('says days, weeks and months as a language has them', () => {
  expect(unitOf('en', { frequency: 'WEEKLY', interval: 1 })).toBe(' week');
  expect(unitOf('en', { frequency: 'MONTHLY', interval: 3 })).toBe(' months');
  expect(unitOf('zh-CN', { frequency: 'DAILY', interval: 2 }).trim()).toBe('天');
});
