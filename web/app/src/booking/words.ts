import type { OwnMeeting } from '@huitong/sdk';
import { useTranslation } from 'react-i18next';
import { type Weekday, WEEKDAYS, recurrenceOf } from './recurrence';

/** A day that is a Monday, to have the days' names from. */
const MONDAY = Date.UTC(2026, 0, 5);

/** A weekday in one's language. */
export function useWeekdayName(): (day: Weekday, width: 'short' | 'long') => string {
  const { i18n } = useTranslation();
  return (day, weekday) =>
    new Intl.DateTimeFormat(i18n.language, { weekday, timeZone: 'UTC' }).format(
      MONDAY + WEEKDAYS.indexOf(day) * 86_400_000,
    );
}

/** How often a meeting is held, in words; null for once. */
export function useRecurrenceText(): (meeting: OwnMeeting) => string | null {
  const { t, i18n } = useTranslation();
  const weekday = useWeekdayName();
  return ({ recurrence }) => {
    if (!recurrence) return null;
    const known = recurrenceOf(recurrence);
    if (!known) return t('book.series');
    const days = new Intl.ListFormat(i18n.language, { style: 'narrow', type: 'unit' }).format(
      known.days.map(day => weekday(day, 'short')),
    );
    const often =
      known.interval > 1
        ? t(`book.every_${known.frequency}`, { count: known.interval })
        : t(`book.${known.frequency}`);
    return known.frequency === 'WEEKLY' && days ? `${often} ${days}` : often;
  };
}

const midnight = (time: Date): number => new Date(time).setHours(0, 0, 0, 0);

const capital = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1);

/** When a meeting is held: its day, today and tomorrow by name, and from when to when. */
export function useTimes(): (meeting: OwnMeeting) => { day: string; from: string; until: string } | null {
  const { i18n } = useTranslation();
  return ({ start, duration }) => {
    if (!start) return null;
    const begins = new Date(start);
    const time = new Intl.DateTimeFormat(i18n.language, { timeStyle: 'short' });
    const soon = new Intl.RelativeTimeFormat(i18n.language, { numeric: 'auto' });
    const isThisYear = begins.getFullYear() === new Date().getFullYear();
    const day = new Intl.DateTimeFormat(i18n.language, {
      month: 'long',
      day: 'numeric',
      weekday: 'short',
      ...(!isThisYear && { year: 'numeric' }),
    });
    const inDays = Math.round((midnight(begins) - midnight(new Date())) / 86_400_000);
    const isNear = inDays === 0 || inDays === 1;
    return {
      day: isNear ? capital(soon.format(inDays, 'day')) : day.format(begins),
      from: time.format(begins),
      until: time.format(begins.getTime() + duration * 60_000),
    };
  };
}
