import { dayIn, instantIn, zone } from './zone';

/** How often: a value of an RRULE (RFC 5545 §3.3.10) as far as the booking form has it. */
export interface Recurrence {
  frequency: 'DAILY' | 'WEEKLY' | 'MONTHLY';
  interval: number;
  /** Of a week, as RFC 5545 names them. */
  days: Weekday[];
  /** After so many times, or with this day (as 2026-01-31). */
  end: { count: number } | { until: string };
}

export const WEEKDAYS = ['MO', 'TU', 'WE', 'TH', 'FR', 'SA', 'SU'] as const;
export type Weekday = (typeof WEEKDAYS)[number];

/** Of a day of this browser's zone. */
export function weekdayOf(date: Date): Weekday {
  return WEEKDAYS[(date.getDay() + 6) % 7] ?? 'MO';
}

/** What a series that begins on this day has for its last one until somebody says otherwise: about three months on. */
export function endAfter(day: string): string {
  const end = new Date(`${day}T00:00`);
  end.setDate(end.getDate() + 90);
  return dayOf(end);
}

const UNITS = { DAILY: 'day', WEEKLY: 'week', MONTHLY: 'month' } as const;

/** What stands behind the number of an interval: “ weeks”. */
export function unitOf(
  language: string,
  { frequency, interval }: Pick<Recurrence, 'frequency' | 'interval'>,
): string {
  return new Intl.NumberFormat(language, { style: 'unit', unit: UNITS[frequency], unitDisplay: 'long' })
    .formatToParts(interval)
    .filter(({ type }) => type === 'unit' || type === 'literal')
    .map(({ value }) => value)
    .join('');
}

/** The RRULE; an end by date holds until the last second of that day where the series is held. */
export function ruleOf({ frequency, interval, days, end }: Recurrence, held = zone()): string {
  const parts = [`FREQ=${frequency}`];
  if (interval > 1) parts.push(`INTERVAL=${interval}`);
  if (frequency === 'WEEKLY' && days.length > 0) {
    parts.push(`BYDAY=${WEEKDAYS.filter(day => days.includes(day)).join(',')}`);
  }
  if ('count' in end) parts.push(`COUNT=${end.count}`);
  else {
    const last = instantIn(held, end.until, '23:59:59');
    if (last) parts.push(`UNTIL=${utcStamp(last)}`);
  }
  return parts.join(';');
}

function utcStamp(time: Date): string {
  return time.toISOString().replace(/[-:]|\.\d+/g, '');
}

/** What a rule says; null for one that the form doesn't have. */
export function recurrenceOf(rule: string, held = zone()): Recurrence | null {
  const parts = new Map(rule.split(';').map(part => part.split('=') as [string, string]));
  const frequency = parts.get('FREQ');
  if (frequency !== 'DAILY' && frequency !== 'WEEKLY' && frequency !== 'MONTHLY') return null;
  const days = (parts.get('BYDAY') ?? '').split(',').filter(Boolean);
  if (!days.every((day): day is Weekday => WEEKDAYS.some(one => one === day))) return null;
  const until = /^(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(\d\d)Z?)?$/.exec(parts.get('UNTIL') ?? '');
  const count = Number(parts.get('COUNT'));
  if (!until && !(count > 0)) return null;
  const interval = Number(parts.get('INTERVAL') ?? 1);
  return { frequency, interval, days, end: until ? { until: dayOfEnd(until, held) } : { count } };
}

function dayOfEnd(
  [, year = '', month = '', day = '', hour, minute, second]: RegExpExecArray,
  held: string,
): string {
  if (!hour) return `${year}-${month}-${day}`;
  return dayIn(held, new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`));
}

/** A day where people live, as 2026-01-31. */
export function dayOf(date: Date): string {
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

/** In two digits. */
export const two = (value: number): string => `${value}`.padStart(2, '0');

/** The next half hour, at least a quarter of an hour away. */
export function nextHalfHour(now: Date): Date {
  const half = 30 * 60_000;
  return new Date(Math.ceil((now.getTime() + half / 2) / half) * half);
}
