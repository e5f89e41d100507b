import { expect, it } from 'vitest';
import { isStrong } from './password';

// product: L6
it('wants eight characters of three kinds', () => {
  expect(['Huitong-2026', 'abcDEF12', 'abc-1234'].every(isStrong)).toBe(true);
  expect(['Ab1-', 'abcdefgh', 'abcd1234', '        Ab'].some(isStrong)).toBe(false);
});
