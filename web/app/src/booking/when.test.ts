import { expect, test } from 'vitest';
import { dayText, dayTyped, sheetOf, timeText, timeTyped } from './when';

const NOW = new Date(2026, 10, 29, 12);

// product: A7
test('a day is written as the language writes it, and read back', () => {
  expect(dayText('en', '2026-12-01')).toBe('Dec 1, 2026');
  expect(dayText('zh-CN', '2026-12-01')).toBe('2026年12月1日');
  for (const language of ['en', 'zh-CN', 'de']) {
    expect(dayTyped(language, dayText(language, '2026-12-01'), NOW)).toBe('2026-12-01');
  }
  expect(dayText('en', '')).toBe('');
});

test('a day may be typed in the orders people know', () => {
  expect(dayTyped('en', '2026-12-01', NOW)).toBe('2026-12-01');
  expect(dayTyped('en', '12/1/26', NOW)).toBe('2026-12-01');
  expect(dayTyped('de', '1.12.2026', NOW)).toBe('2026-12-01');
  expect(dayTyped('en', '1 December', NOW)).toBe('2026-12-01');
  expect(dayTyped('zh-CN', '12月1日', NOW)).toBe('2026-12-01');
  expect(dayTyped('zh-CN', '2月3日', NOW)).toBe('2027-02-03');
  for (const nonsense of ['', 'soon', '2026-02-31', '13/40/2026', '7']) {
    expect(dayTyped('en', nonsense, NOW)).toBeNull();
  }
});

test('a time is written as the language writes it, and read as it is typed', () => {
  expect(timeText('en', '21:05')).toBe('9:05 PM');
  expect(timeText('zh-CN', '21:05')).toBe('21:05');
  const typed = {
    '9:05 PM': '21:05',
    '930': '09:30',
    '9.30 pm': '21:30',
    '12 AM': '00:00',
    下午3点半: '15:30',
    '8': '08:00',
  };
  for (const [text, time] of Object.entries(typed)) expect(timeTyped(text)).toBe(time);
  for (const nonsense of ['', 'noon', '25:00', '9:75', '1:2:3']) expect(timeTyped(nonsense)).toBeNull();
});

test('a sheet of a month has whole weeks that begin where the language has them begin', () => {
  const sheet = sheetOf('en-US', 2026, 1);
  expect(sheet.length).toBe(4);
  expect([sheet[0]?.[0]?.getDate(), sheet[0]?.[0]?.getDay()]).toEqual([1, 0]);
  expect(sheetOf('zh-CN', 2026, 10).every(week => week.length === 7 && week[0]?.getDay() === 1)).toBe(true);
});
