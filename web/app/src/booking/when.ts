/** Days and times of day as the page's language writes them, and as people type them. */
import { dayOf, two } from './recurrence';

/** A day, kept as 2026-01-31, as a date of this browser's zone. */
export const dateOf = (day: string): Date => new Date(`${day}T00:00`);

/** As it is written in a field: Jan 31, 2026; 2026年1月31日. */
export function dayText(language: string, day: string): string {
  const date = dateOf(day);
  return Number.isNaN(date.getTime())
    ? ''
    : new Intl.DateTimeFormat(language, { dateStyle: 'medium' }).format(date);
}

/** In which order a language writes year, month and day in numbers. */
function orderOf(language: string): string[] {
  return new Intl.DateTimeFormat(language)
    .formatToParts(0)
    .map(({ type }) => type)
    .filter(type => type === 'year' || type === 'month' || type === 'day');
}

function monthNamed(language: string, text: string): number {
  const said = text.toLocaleLowerCase(language);
  const name = (month: number, width: 'short' | 'long') =>
    new Intl.DateTimeFormat(language, { month: width })
      .format(new Date(2026, month, 1))
      .toLocaleLowerCase(language);
  const months = [...Array(12).keys()];
  return (
    1 + months.findIndex(month => said.includes(name(month, 'short')) || said.includes(name(month, 'long')))
  );
}

/** What was typed, as 2026-01-31; null for no day. The year may be left out: then it is the next such day. */
export function dayTyped(language: string, text: string, now: Date): string | null {
  const numbers = (text.match(/\d+/g) ?? []).map(Number);
  const named = /\p{Letter}/u.test(text) && !/[年月日]/.test(text) ? monthNamed(language, text) : 0;
  const found: Partial<Record<string, number>> = {};
  if (named > 0) {
    [found.day, found.year] = numbers;
    found.month = named;
  } else {
    const isYearFirst = (numbers[0] ?? 0) > 31;
    let order = isYearFirst ? ['year', 'month', 'day'] : orderOf(language);
    if (numbers.length === 2) order = order.filter(part => part !== 'year');
    else if (numbers.length !== 3) return null;
    order.forEach((part, at) => (found[part] = numbers[at]));
  }
  const { month, day } = found;
  if (!month || !day) return null;
  const year = found.year ?? now.getFullYear();
  const date = new Date(year < 100 ? 2000 + year : year, month - 1, day);
  // There is no 31st of February.
  if (date.getMonth() !== month - 1 || date.getDate() !== day) return null;
  if (found.year === undefined && dayOf(date) < dayOf(now)) date.setFullYear(date.getFullYear() + 1);
  return dayOf(date);
}

/** A time of day, kept as 09:30, as it is written: 9:30 AM; 09:30. */
export function timeText(language: string, time: string): string {
  const at = new Date(`2026-01-01T${time}`);
  return Number.isNaN(at.getTime())
    ? ''
    : new Intl.DateTimeFormat(language, { timeStyle: 'short' }).format(at).replace(/\s/g, ' ');
}

/** What was typed (9:30, 930, 9.30 pm, 下午3点半), as 09:30; null for no time. */
export function timeTyped(text: string): string | null {
  const said = /^\D*?(\d{1,2})(?:[\s:：.点时h]*(\d{2}|半))?\D*$/.exec(text.trim());
  if (!said) return null;
  let hour = Number(said[1]);
  const minute = said[2] === '半' ? 30 : Number(said[2] ?? 0);
  if (/p\.?m|下午|晚/i.test(text) && hour < 12) hour += 12;
  if (/a\.?m|上午|凌晨/i.test(text) && hour === 12) hour = 0;
  if (hour > 23 || minute > 59) return null;
  return `${two(hour)}:${two(minute)}`;
}

/** On which day a week begins: 0 is Sunday. */
export function weekBegins(language: string): number {
  // Firefox has it not at all, older browsers as a property.
  interface WithWeek {
    getWeekInfo?: () => { firstDay: number };
    weekInfo?: { firstDay: number };
  }
  const locale = new Intl.Locale(language).maximize() as Intl.Locale & WithWeek;
  return (locale.getWeekInfo?.() ?? locale.weekInfo ?? { firstDay: 1 }).firstDay % 7;
}

/** The days a month's sheet has: whole weeks. */
export function sheetOf(language: string, year: number, month: number): Date[][] {
  const first = new Date(year, month, 1);
  const before = (first.getDay() - weekBegins(language) + 7) % 7;
  const weeks = Math.ceil((before + new Date(year, month + 1, 0).getDate()) / 7);
  return [...Array(weeks).keys()].map(week =>
    [...Array(7).keys()].map(day => new Date(year, month, 1 - before + week * 7 + day)),
  );
}
