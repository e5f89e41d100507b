import type { BookingBody, BookingMode, MeetingOptions, OccurrenceBody, OwnMeeting } from '@huitong/sdk';
import type { TFunction } from 'i18next';
import { inTopic } from '../names';
import { type Recurrence, dayOf, nextHalfHour, recurrenceOf, ruleOf, timeOf } from './recurrence';

/** A booking while it is being written. */
export interface Draft {
  title: string;
  password: string;
  /** As the browser's own fields have them: 2026-01-31 and 09:30, where people live. */
  day: string;
  time: string;
  /** Minutes. */
  duration: number;
  earlyStart: number;
  capacity: number;
  room: string;
  recurrence: Recurrence | null;
  options: MeetingOptions;
}

export const OPTIONS = [
  'host_video',
  'participant_video',
  'join_before_host',
  'mute_on_entry',
  'waiting_room',
  'livestream',
  'recording',
] as const satisfies (keyof MeetingOptions)[];

/** What a meeting is called until somebody calls it otherwise. */
export const defaultTitle = (t: TFunction, name: string): string =>
  // It goes to the server: with no marks around the name, which topics refuse.
  t('instant.defaultTitle', { name: inTopic(name), interpolation: { escapeValue: false } });

export const zone = (): string => Intl.DateTimeFormat().resolvedOptions().timeZone;

/** What a new booking begins with. */
export function newDraft(title: string, now: Date): Draft {
  const start = nextHalfHour(now);
  return {
    title,
    password: '',
    day: dayOf(start),
    time: timeOf(start),
    duration: 60,
    earlyStart: 0,
    capacity: 10,
    room: '',
    recurrence: null,
    options: {
      host_video: true,
      participant_video: true,
      join_before_host: true,
      mute_on_entry: false,
      waiting_room: false,
      livestream: false,
      recording: false,
      webinar: false,
    },
  };
}

export function draftOf(meeting: OwnMeeting): Draft {
  const start = meeting.start ? new Date(meeting.start) : nextHalfHour(new Date());
  return {
    title: meeting.title,
    password: meeting.password ?? '',
    day: dayOf(start),
    time: timeOf(start),
    duration: meeting.duration,
    earlyStart: meeting.early_start,
    capacity: meeting.capacity,
    room: meeting.room ?? '',
    recurrence: meeting.recurrence ? recurrenceOf(meeting.recurrence) : null,
    options: meeting.options,
  };
}

export function startOf({ day, time }: Draft): Date | null {
  const start = new Date(`${day}T${time}`);
  return Number.isNaN(start.getTime()) ? null : start;
}

/** What is sent: each mode's own fields. */
export function bodyOf(draft: Draft, mode: BookingMode, kept?: OwnMeeting): BookingBody {
  const start = startOf(draft);
  const { title, password, duration, earlyStart, capacity, room, recurrence, options } = draft;
  // A rule that the form can't show stays as it is.
  const keptRule = kept?.recurrence && !recurrenceOf(kept.recurrence) ? kept.recurrence : undefined;
  const rule = recurrence ? ruleOf(recurrence) : keptRule;
  return {
    title: title.trim(),
    ...(password && { password }),
    ...(!kept?.personal && start && { start: start.toISOString() }),
    duration,
    zone: kept?.zone ?? zone(),
    ...(rule && { recurrence: rule }),
    ...(mode === 'shared' && { room, early_start: earlyStart }),
    ...(mode === 'concurrent' && { capacity, early_start: earlyStart }),
    options,
  };
}

/** The same for one time of a series: no password is said by an empty one. */
export function occurrenceBodyOf(draft: Draft, mode: BookingMode): OccurrenceBody {
  const start = startOf(draft);
  const { title, password, duration, earlyStart, capacity, room, options } = draft;
  return {
    title: title.trim(),
    password,
    ...(start && { start: start.toISOString() }),
    ...(mode === 'dedicated' ? { duration } : { early_start: earlyStart }),
    ...(mode === 'shared' && { room }),
    ...(mode === 'concurrent' && { capacity }),
    options,
  };
}
