import { Problem } from '@huitong/sdk';
import type { TFunction } from 'i18next';

/** What to tell people about something that was not done: the server's words, else ours. */
export function problemText(t: TFunction, thrown: unknown): string {
  const { title, detail, code } = Problem.from(thrown);
  if (title) return detail ? t('problems.because', { title, detail }) : title;
  return t(`problems.${code as 'failed'}`, { defaultValue: t('problems.failed') });
}
