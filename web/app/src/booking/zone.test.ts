import { expect, it } from 'vitest';
import { recurrenceOf, ruleOf } from './recurrence';
import { dayIn, instantIn, timeIn, zoneName } from './zone';

// product: S5
it('reads and writes the clocks of other places', () => {
  const at = new Date('2026-03-08T06:30:00Z');
  expect([dayIn('Asia/Shanghai', at), timeIn('Asia/Shanghai', at)]).toEqual(['2026-03-08', '14:30']);
  expect([dayIn('America/New_York', at), timeIn('America/New_York', at)]).toEqual(['2026-03-08', '01:30']);
  for (const zone of ['UTC', 'Asia/Shanghai', 'America/New_York', 'Asia/Kathmandu', 'Australia/Lord_Howe']) {
    for (const iso of ['2026-01-31T23:59:00.000Z', '2026-03-08T07:00:00.000Z', '2026-11-01T08:30:00.000Z']) {
      const then = new Date(iso);
      expect(instantIn(zone, dayIn(zone, then), timeIn(zone, then))?.toISOString(), zone).toBe(iso);
    }
  }
  expect(instantIn('UTC', '', '09:00')).toBeNull();
});

it('has one hour of a spring night be another', () => {
  expect(instantIn('America/New_York', '2026-03-08', '02:30')?.toISOString()).toBe(
    '2026-03-08T06:30:00.000Z',
  );
});

it('ends a series with the last second of a day where it is held', () => {
  const daily = { frequency: 'DAILY' as const, interval: 1, days: [], end: { until: '2026-12-31' } };
  const rule = ruleOf(daily, 'Asia/Shanghai');
  expect(rule).toBe('FREQ=DAILY;UNTIL=20261231T155959Z');
  expect(recurrenceOf(rule, 'Asia/Shanghai')).toEqual(daily);
});

it('names a zone', () => {
  const at = new Date('2026-06-01T00:00:00Z');
  expect(zoneName('zh-CN', 'Asia/Shanghai', at)).toContain('中国');
  expect(zoneName('en', 'America/New_York', at)).toBe('Eastern Time GMT-4');
  expect(zoneName('en', 'UTC', at)).toBe('Coordinated Universal Time');
  expect(zoneName('zh-CN', 'UTC', at)).toBe('协调世界时');
});
