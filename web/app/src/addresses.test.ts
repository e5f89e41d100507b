import { expect, it } from 'vitest';
import { mailsIn, phonesIn } from './addresses';

// product: S7, C22
it('takes mail addresses apart wherever people write something between them', () => {
  expect(mailsIn(' lucy@example.com，jim@example.com; ann@example.com\nbob@example.com ')).toEqual([
    'lucy@example.com',
    'jim@example.com',
    'ann@example.com',
    'bob@example.com',
  ]);
  expect(mailsIn(' ')).toEqual([]);
});

// product: S7, C22
it('takes telephone numbers apart and leaves each whole that is written in groups', () => {
  expect(phonesIn('138 1234 5678')).toEqual(['138 1234 5678']);
  expect(phonesIn('+86 138-1234-5678、139 1234 5678\n\n13712345678；')).toEqual([
    '+86 138-1234-5678',
    '139 1234 5678',
    '13712345678',
  ]);
  expect(phonesIn('13812345678 13912345678')).toEqual(['13812345678', '13912345678']);
  expect(phonesIn(' \n')).toEqual([]);
});
