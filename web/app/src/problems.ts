import { Problem } from '@huitong/sdk';
import type { TFunction } from 'i18next';
import i18next from 'i18next';

/** What to tell people about something that was not done: the server's words, else ours; and how long to wait. */
export function problemText(t: TFunction, thrown: unknown): string {
  const { title, detail, code, retryAfter } = Problem.from(thrown);
  if (!title) return t(`problems.${code as 'failed'}`, { defaultValue: t('problems.failed') });
  const what = detail ? t('problems.because', { title, detail }) : title;
  return retryAfter ? t('problems.again', { what, time: inTime(retryAfter, i18next.language) }) : what;
}

/** A wait in whole minutes, rounded up but for the second the server has added; the last one in seconds. */
export function inTime(seconds: number, language: string): string {
  const isShort = seconds < 60;
  return new Intl.NumberFormat(language, {
    style: 'unit',
    unit: isShort ? 'second' : 'minute',
    unitDisplay: 'long',
  }).format(isShort ? seconds : Math.ceil((seconds - 1) / 60));
}
