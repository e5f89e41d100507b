import { expect, it } from 'vitest';
import { digitsOf, inThrees, inUnits, isComplete, joinLink, joinPath, passwordOf, sizeIn } from './numbers';

// product: J1
it('finds the meeting number in whatever is typed or pasted', () => {
  expect(digitsOf('123 456 789')).toBe('123456789');
  expect(digitsOf(' 123-456-7890 ')).toBe('123456789');
  expect(digitsOf('https://meet.example:8443/j/987654321?x=1')).toBe('987654321');
  expect(digitsOf('会议 ID：123')).toBe('123');
  expect(isComplete('12345678')).toBe(false);
  expect(isComplete('123456789')).toBe(true);
});

// product: J2
it('finds the password in the fragment of an invitation’s link', () => {
  expect(passwordOf('#p=135790')).toBe('135790');
  expect(passwordOf('#p=a%26b')).toBe('a&b');
  expect(passwordOf('#other')).toBeUndefined();
});

it('shows it in threes, while it is typed too', () => {
  expect(['', '12', '123', '1234', '123456789'].map(inThrees)).toEqual([
    '',
    '12',
    '123',
    '123 4',
    '123 456 789',
  ]);
});

it('says how large a file is as people expect it', () => {
  expect([1_200, 99_999, 640_000, 3_400_000_000].map(bytes => sizeIn('en', bytes))).toEqual([
    '1.2 kB',
    '100 kB',
    '0.6 MB',
    '3.4 GB',
  ]);
});

it('says how long something took', () => {
  expect([42_000, 32 * 60_000, 3_600_000, 75 * 60_000].map(ms => inUnits(ms, 'en'))).toEqual([
    '42 seconds',
    '32 minutes',
    '1 hour',
    '1 hour, 15 minutes',
  ]);
});

// product: S7
it('links to the pages where invitations do', () => {
  const info = { web: 'https://meet.example:8443' } as Parameters<typeof joinLink>[0];
  expect(joinLink(info, '123456789', '135790')).toBe('https://meet.example:8443/j/123456789#p=135790');
  expect(joinPath('123456789', null)).toBe('/j/123456789');
});
