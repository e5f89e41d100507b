import { expect, it } from 'vitest';
import { isolated } from './isolated';

it('keeps names from turning what stands around them', () => {
  expect(isolated('李雷')).toBe('李雷');
  expect(isolated('Zoë 👩‍🚀')).toBe('Zoë 👩‍🚀');
  expect(isolated('علی')).toBe('\u2068علی\u2069');
  expect(isolated('דנה (host)')).toBe('\u2068דנה (host)\u2069');
});
