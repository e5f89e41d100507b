import type { TFunction } from 'i18next';
import type { Told } from './notices';

/** One or two by their names, of more the first and how many others. */
export function namesText(t: TFunction, [first = '', ...others]: readonly string[]): string {
  if (others.length === 0) return first;
  const [second = ''] = others;
  return others.length === 1
    ? t('notice.two', { first, second })
    : t('notice.several', { first, count: others.length });
}

/** A message in a notice: what is for oneself alone says so, a file has its name. */
export function saidText(
  t: TFunction,
  { from, text, file, isPrivate }: Extract<Told, { kind: 'said' }>,
): string {
  const name = isPrivate ? t('notice.privately', { name: from }) : from;
  return file && !text ? t('notice.file', { name, file }) : t('notice.said', { name, text });
}
