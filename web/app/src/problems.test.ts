import { expect, it } from 'vitest';
import { inTime } from './problems';

// product: L4
it('says how long to wait in minutes, and the last one in seconds', () => {
  expect(inTime(182, 'en')).toBe('4 minutes');
  expect(inTime(181, 'en')).toBe('3 minutes');
  expect(inTime(60, 'en')).toBe('1 minute');
  expect(inTime(59, 'en')).toBe('59 seconds');
  expect(inTime(120, 'zh-CN')).toBe('2分钟');
});
