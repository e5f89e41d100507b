import i18next from 'i18next';
import { beforeAll, expect, it } from 'vitest';
import en from '../i18n/en.json';
import { namesText, saidText } from './words';

const { t } = i18next;
beforeAll(async () => {
  await i18next.init({ lng: 'en', resources: { en: { translation: en } } });
});

// product: C17
it('names who wants something, and of many the first', () => {
  expect(namesText(t, ['Ada'])).toBe('Ada');
  expect(namesText(t, ['Ada', 'Mary'])).toBe('Ada and Mary');
  expect(namesText(t, ['Ada', 'Mary', 'Grace'])).toBe('Ada and 2 others');
});

// product: C1, C21
it('says what a message is: a file by its name, what is private as such', () => {
  const said = { kind: 'said', from: 'Ada', text: 'Hello', file: null, isPrivate: false } as const;
  expect(saidText(t, said)).toBe('Ada: Hello');
  expect(saidText(t, { ...said, isPrivate: true })).toBe('Ada (privately): Hello');
  expect(saidText(t, { ...said, text: '', file: 'plan.pdf' })).toBe('Ada sent a file: plan.pdf');
});
