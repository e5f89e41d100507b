import { useTranslation } from 'react-i18next';
import { countdown, secondsUntil, useNow } from '../parts/useNow';

/** From here on it is counted down. */
const COUNTED_MS = 10 * 60_000;

/** When one is let in, in words; in the last minutes how long it takes. Null where one may not know. */
export function useOpens(opensMs: number | null): string | null {
  const { t, i18n } = useTranslation();
  const now = useNow(1_000, opensMs !== null);
  if (opensMs === null) return null;
  const left = secondsUntil(opensMs, now);
  if (left * 1_000 > COUNTED_MS) {
    const isToday = new Date(opensMs).toDateString() === new Date(now).toDateString();
    const time = new Intl.DateTimeFormat(i18n.language, {
      timeStyle: 'short',
      ...(!isToday && { dateStyle: 'full' }),
    }).format(opensMs);
    return t('prejoin.opensAt', { time });
  }
  return t('prejoin.opensIn', { time: countdown(left) });
}
