/** Days and times of day in a time zone; a browser's own dates know but the one it is in. */

/** Where this browser is. */
export const zone = (): string => Intl.DateTimeFormat().resolvedOptions().timeZone;

/** What clocks there show, as 2026-01-31T09:30:00. */
function shown(zone: string, at: Date): string {
  const parts = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    hourCycle: 'h23',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
  }).formatToParts(at);
  const of = (type: Intl.DateTimeFormatPartTypes) => parts.find(part => part.type === type)?.value ?? '';
  return `${of('year')}-${of('month')}-${of('day')}T${of('hour')}:${of('minute')}:${of('second')}`;
}

/** The day there, as 2026-01-31. */
export const dayIn = (zone: string, at: Date): string => shown(zone, at).slice(0, 10);

/** The time of day there, as 09:30. */
export const timeIn = (zone: string, at: Date): string => shown(zone, at).slice(11, 16);

/** When clocks there show this; null for what is no time. One that is left out in spring is taken by the hour before it. */
export function instantIn(zone: string, day: string, time: string): Date | null {
  const wall = Date.parse(`${day}T${time}Z`);
  if (Number.isNaN(wall)) return null;
  const ahead = (at: number) => Date.parse(`${shown(zone, new Date(at))}Z`) - at;
  const guess = wall - ahead(wall);
  return new Date(wall - ahead(guess));
}

/** What it is called in a language, and how far it is from Greenwich then: China Standard Time GMT+8. */
export function zoneName(language: string, zone: string, at: Date): string {
  const named = (timeZoneName: 'longGeneric' | 'long' | 'shortOffset') =>
    new Intl.DateTimeFormat(language, { timeZone: zone, timeZoneName })
      .formatToParts(at)
      .find(({ type }) => type === 'timeZoneName')?.value ?? zone;
  const offset = named('shortOffset');
  const generic = named('longGeneric');
  const name = generic.startsWith('GMT') ? named('long') : generic;
  return /^GMT(\+0)?$/.test(offset) || name.startsWith('GMT') ? name : `${name} ${offset}`;
}
