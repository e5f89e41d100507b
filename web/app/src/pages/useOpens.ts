import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';

/** From here on it is counted down. */
const COUNTED_MS = 10 * 60_000;

/** When one is let in, in words; in the last minutes how long it takes. Null where one may not know. */
export function useOpens(opensMs: number | null): string | null {
  const { t, i18n } = useTranslation();
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    if (opensMs === null) return;
    const timer = setInterval(() => setNow(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, [opensMs]);
  if (opensMs === null) return null;
  const left = Math.max(0, Math.ceil((opensMs - now) / 1_000));
  if (left * 1_000 > COUNTED_MS) {
    const isToday = new Date(opensMs).toDateString() === new Date(now).toDateString();
    const time = new Intl.DateTimeFormat(i18n.language, {
      timeStyle: 'short',
      ...(!isToday && { dateStyle: 'full' }),
    }).format(opensMs);
    return t('prejoin.opensAt', { time });
  }
  const time = `${Math.floor(left / 60)}:${`${left % 60}`.padStart(2, '0')}`;
  return t('prejoin.opensIn', { time });
}
