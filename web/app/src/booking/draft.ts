import type {
  BookingBody,
  BookingMode,
  Capacity,
  HeldTime,
  MeetingOptions,
  OccurrenceBody,
  OwnMeeting,
} from '@huitong/sdk';
import type { TFunction } from 'i18next';
import { inTopic } from '../names';
import { type Recurrence, endAfter, nextHalfHour, recurrenceOf, ruleOf, weekdayOf } from './recurrence';
import { dateOf } from './when';
import { dayIn, instantIn, timeIn, zone } from './zone';

/** A booking while it is being written. */
export interface Draft {
  title: string;
  password: string;
  /** Whose clocks it goes by: where it was booked. */
  zone: string;
  /** As the browser's own fields have them: 2026-01-31 and 09:30, in that zone. */
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
  'webinar',
  'recording',
] as const satisfies (keyof MeetingOptions)[];

/** A webinar is watched: without a livestream there is none, nor is anybody approved. */
export function withOption(
  options: MeetingOptions,
  option: keyof MeetingOptions,
  on: boolean,
): MeetingOptions {
  const next = { ...options, [option]: on };
  if (option === 'webinar' && on) next.livestream = true;
  if (!next.livestream) next.webinar = false;
  if (!next.webinar) next.approval = false;
  return next;
}

/** What a meeting is called until somebody calls it otherwise. */
export const defaultTitle = (t: TFunction, name: string): string =>
  // It goes to the server: with no marks around the name, which topics refuse.
  t('instant.defaultTitle', { name: inTopic(name), interpolation: { escapeValue: false } });

/** What a new booking begins with. */
export function newDraft(title: string, now: Date): Draft {
  const start = nextHalfHour(now);
  return {
    title,
    password: '',
    zone: zone(),
    day: dayIn(zone(), start),
    time: timeIn(zone(), start),
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
      approval: false,
    },
  };
}

/** A booking that is written anew: as it was, and what the form began with. */
export interface Kept {
  meeting: OwnMeeting;
  draft: Draft;
  /** A series that has begun in a room of one's own: the form begins with the next time, and what is left of the rule. */
  isUnderWay: boolean;
}

export function keptOf(meeting: OwnMeeting, held: HeldTime[], now: Date): Kept {
  const draft = draftOf(meeting);
  const left = held.filter(({ start }) => Date.parse(start) > now.getTime());
  const hasBegun = meeting.start ? Date.parse(meeting.start) < now.getTime() : false;
  if (meeting.mode !== 'dedicated' || !hasBegun || !draft.recurrence || !left[0]) {
    return { meeting, draft, isUnderWay: false };
  }
  const next = new Date(left[0].start);
  const { end } = draft.recurrence;
  const recurrence = { ...draft.recurrence, end: 'count' in end ? { count: left.length } : end };
  const begins = { day: dayIn(meeting.zone, next), time: timeIn(meeting.zone, next) };
  return { meeting, draft: { ...draft, ...begins, recurrence }, isUnderWay: true };
}

export function draftOf(meeting: OwnMeeting): Draft {
  const start = meeting.start ? new Date(meeting.start) : nextHalfHour(new Date());
  return {
    title: meeting.title,
    password: meeting.password ?? '',
    zone: meeting.zone,
    day: dayIn(meeting.zone, start),
    time: timeIn(meeting.zone, start),
    duration: meeting.duration,
    earlyStart: meeting.early_start,
    capacity: meeting.capacity,
    room: meeting.room ?? '',
    recurrence: meeting.recurrence ? recurrenceOf(meeting.recurrence, meeting.zone) : null,
    options: meeting.options,
  };
}

/** On another day: a series is held on that day of the week too, and doesn't end before it begins. */
export function movedTo(day: string, draft: Draft): Partial<Draft> {
  const { recurrence } = draft;
  if (!recurrence) return { day };
  const [before, now] = [weekdayOf(dateOf(draft.day)), weekdayOf(dateOf(day))];
  const days = recurrence.days.includes(now)
    ? recurrence.days
    : recurrence.days.map(one => (one === before ? now : one));
  const { end } = recurrence;
  const isOver = 'until' in end && end.until < day;
  return { day, recurrence: { ...recurrence, days, end: isOver ? { until: endAfter(day) } : end } };
}

export function startOf({ zone, day, time }: Draft): Date | null {
  return instantIn(zone, day, time);
}

/** What is free for a booking that is written anew: at its own time what it holds itself, too. */
export function freeFor(free: Capacity, draft: Draft, kept: Kept | undefined): Capacity {
  if (!kept) return free;
  const { draft: was, meeting } = kept;
  const isOwnTime =
    draft.day === was.day &&
    draft.time === was.time &&
    draft.duration <= was.duration &&
    draft.earlyStart <= was.earlyStart;
  if (!isOwnTime) return free;
  return {
    ports_free: free.ports_free + (meeting.mode === 'concurrent' ? meeting.capacity : 0),
    rooms: free.rooms.map(room => (room.id === meeting.room ? { ...room, free: true } : room)),
  };
}

/** What is sent: each mode's own fields. */
export function bodyOf(draft: Draft, mode: BookingMode, kept?: Kept): BookingBody {
  const { title, password, duration, earlyStart, capacity, room, recurrence, options } = draft;
  const known = kept?.meeting;
  const isSameStart = draft.day === kept?.draft.day && draft.time === kept.draft.time;
  const isSameRule = JSON.stringify(recurrence) === JSON.stringify(kept?.draft.recurrence);
  // What was left alone is the booking's own, to the second.
  const isStartKept = isSameStart && (isSameRule || !kept.isUnderWay);
  const start = isStartKept ? known?.start : startOf(draft)?.toISOString();
  // A rule that the form can't show stays as it is.
  const keptRule = known?.recurrence && !recurrenceOf(known.recurrence) ? known.recurrence : undefined;
  const newRule = recurrence ? ruleOf(recurrence, draft.zone) : keptRule;
  const rule = isStartKept && isSameRule ? known?.recurrence : newRule;
  return {
    title: title.trim(),
    ...(password && { password }),
    ...(!known?.personal && start && { start }),
    duration,
    zone: draft.zone,
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
