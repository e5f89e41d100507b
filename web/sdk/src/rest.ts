import { fromBase64, toBase64 } from './base64';
import { Problem } from './problem';
import type { ProblemBody } from './protocol';
import type * as wire from './rest.generated';

export type BookingMode = wire.BookingMode;
/** Who is logged in. */
export type Account = wire.AccountView;
/** What is absent stays; an empty text is none. */
export type AccountChange = wire.Change;
/** What is agreed on for a meeting. */
export type MeetingOptions = Required<{ [Name in keyof wire.Options]: boolean }>;
/** A meeting as its owner sees it. */
export type OwnMeeting = Omit<wire.MeetingView, 'options'> & { options: MeetingOptions };
/** What is booked; what is absent has its default, and without a start it begins now. */
export type BookingBody = wire.BookBody;
export type OccurrenceBody = wire.OccurrenceBody;
/** One time a meeting is held. */
export type HeldTime = wire.OccurrenceView;
/** What is free throughout a time. */
export type Capacity = wire.CapacityView;
export type FreeSlot = wire.SlotView;
/** A meeting's film. */
export type RecordingInfo = wire.RecordingView;
/** A meeting that begins soon, or has just begun. */
export type Reminder = wire.ReminderView;
/** A page one shares often. */
export type Bookmark = wire.BookmarkView;
/** A meeting as anyone sees it who knows its number. */
export type Door = wire.DoorView;
export type BroadcastInfo = wire.BroadcastView;
/** Who may watch a livestream. */
export type WatchAccess = wire.WatchAccess;
export type WatchSettings = wire.SettingsView;
/** Who has registered for a webinar. */
export type Registrant = wire.RegistrantView;
/** What an encoder comes into a meeting by; the token itself is shown once. */
export type EncoderToken = wire.EncoderTokenView;
export type NewEncoderToken = wire.NewEncoderTokenView;
export type Info = wire.Info;
export type Site = wire.SiteView;
export type CallingPolicy = wire.CallingBody;
export type CallingView = wire.CallingView;
export type PromptInfo = wire.PromptView;
/** A telephone call that is over. */
export type CallInfo = wire.CallView;

/** A part of a list; `next` asks for what follows. */
export interface Piece<Item> {
  items: Item[];
  next?: string | null;
}

/** What is drawn: updates of Yjs, to be merged in any order. */
export interface Whiteboard {
  updates: Uint8Array<ArrayBuffer>[];
  /** The newest one's number. */
  last: number;
}

interface Asked {
  /** Repeating it under the same key does nothing again. */
  key?: string | undefined;
  /** `Meeting.resume` of who asks from within a meeting, whether he has an account or not. */
  seat?: string | undefined;
}

/** `crypto.randomUUID` is missing where a page came over plain HTTP. */
const newKey = (): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), byte => byte.toString(16)).join('');

const query = (values: Record<string, string | number | undefined>): string => {
  const given = Object.entries(values).filter(([, value]) => value !== undefined && value !== '');
  return given.length
    ? `?${new URLSearchParams(given.map(([name, value]) => [name, `${value ?? ''}`]))}`
    : '';
};

/** The REST API, as `docs/reference/api.md` has it. */
export class Rest {
  readonly #server: string;
  /** Language of problems, as a BCP 47 tag. */
  language: string | undefined;

  constructor(options: { server?: string; language?: string } = {}) {
    this.#server = options.server ?? '';
    this.language = options.language;
  }

  /** Hands a file round in a live meeting: `seat` is what `Meeting.resume` says; all are told where `to` is null. */
  handRound(meeting: string, seat: string, file: File, to: string | null): Promise<void> {
    const path = `/meetings/${meeting}/files${query({ name: file.name, to: to ?? undefined })}`;
    return this.#send('POST', path, seat, file);
  }

  /** Shows a file to all in a live meeting: a picture, or a document (PDF) that is paged together. */
  showFile(meeting: string, seat: string, file: File, show: 'picture' | 'document'): Promise<void> {
    return this.#send('POST', `/meetings/${meeting}/files${query({ name: file.name, show })}`, seat, file);
  }

  /** Where a file that was handed round or is shown can be fetched. */
  file(meeting: string, file: string): string {
    return `${this.#server}/api/v1/meetings/${meeting}/files/${file}`;
  }

  /** What is drawn on the whiteboard one sees. */
  async whiteboard(meeting: string, seat: string): Promise<Whiteboard> {
    const path = `/meetings/${meeting}/whiteboard`;
    const { drawings, last } = await this.#ask<{ drawings: string[]; last: number }>('GET', path, undefined, {
      seat,
    });
    return { updates: drawings.flatMap(drawing => fromBase64(drawing) ?? []), last };
  }

  /** Puts one update in the place of all up to a number. */
  rewriteWhiteboard(meeting: string, seat: string, upto: number, update: Uint8Array): Promise<void> {
    return this.#send('PUT', `/meetings/${meeting}/whiteboard${query({ upto })}`, seat, toBase64(update));
  }

  /** By how many a live meeting can be enlarged now (扩容), for its hosts. */
  async growth(meeting: string, seat: string): Promise<number> {
    const { ports } = await this.#ask<wire.GrowthView>('GET', `/meetings/${meeting}/growth`, undefined, {
      seat,
    });
    return ports;
  }

  async bookmarks(): Promise<Bookmark[]> {
    return (await this.#ask<Piece<Bookmark>>('GET', '/me/bookmarks')).items;
  }

  addBookmark(name: string, url: string): Promise<Bookmark> {
    return this.#ask('POST', '/me/bookmarks', { name, url });
  }

  removeBookmark(id: string): Promise<void> {
    return this.#ask('DELETE', `/me/bookmarks/${id}`);
  }

  async login(name: string, password: string): Promise<Account> {
    const { account } = await this.#ask<{ account: Account }>('POST', '/login', { name, password });
    return account;
  }

  async logout(): Promise<void> {
    await this.#ask('POST', '/logout');
  }

  /** Who is logged in; null for nobody. */
  async me(): Promise<Account | null> {
    try {
      return (await this.#ask<{ account: Account }>('GET', '/me')).account;
    } catch (thrown) {
      if (thrown instanceof Problem && thrown.code === 'not_logged_in') return null;
      throw thrown;
    }
  }

  async changeMe(change: AccountChange): Promise<Account> {
    return (await this.#ask<{ account: Account }>('PATCH', '/me', change)).account;
  }

  /** What one keys on a telephone to host; null where none was drawn yet. */
  async phonePin(): Promise<string | null> {
    return (await this.#ask<{ pin: string | null }>('GET', '/me/phone-pin')).pin;
  }

  async drawPhonePin(): Promise<string | null> {
    return (await this.#ask<{ pin: string | null }>('POST', '/me/phone-pin')).pin;
  }

  /** What one is to be reminded of now. */
  async reminders(): Promise<Reminder[]> {
    return (await this.#ask<Piece<Reminder>>('GET', '/me/reminders')).items;
  }

  changePassword(old_password: string, new_password: string): Promise<void> {
    return this.#ask('POST', '/me/password', { old_password, new_password });
  }

  /** Sends a link or a code, if there is such an account; nobody is told whether there is. */
  forgotPassword(name: string, by: 'email' | 'sms'): Promise<void> {
    return this.#ask('POST', '/password-resets', { name, by });
  }

  /** Sets a new password by a link's end, or by a code and the login name. */
  resetPassword(secret: string, new_password: string, name?: string): Promise<void> {
    return this.#ask('PUT', '/password-resets', { secret, new_password, ...(name && { name }) });
  }

  meetings(
    wanted: { period?: 'upcoming' | 'past'; search?: string; cursor?: string | undefined } = {},
  ): Promise<Piece<OwnMeeting>> {
    return this.#ask('GET', `/meetings${query(wanted)}`);
  }

  meeting(id: string): Promise<OwnMeeting> {
    return this.#ask('GET', `/meetings/${id}`);
  }

  createMeeting(meeting: BookingBody): Promise<OwnMeeting> {
    return this.#ask('POST', '/meetings', meeting, { key: newKey() });
  }

  changeMeeting(id: string, meeting: BookingBody): Promise<OwnMeeting> {
    return this.#ask('PUT', `/meetings/${id}`, meeting);
  }

  deleteMeeting(id: string): Promise<void> {
    return this.#ask('DELETE', `/meetings/${id}`);
  }

  /** When a booking is held, in order. */
  async occurrences(id: string): Promise<HeldTime[]> {
    return (await this.#ask<Piece<HeldTime>>('GET', `/meetings/${id}/occurrences`)).items;
  }

  /** Cancels one time of a series. */
  deleteOccurrence(id: string, occurrence: string): Promise<void> {
    return this.#ask('DELETE', `/meetings/${id}/occurrences/${encodeURIComponent(occurrence)}`);
  }

  /** One time of a series, as it is held then. */
  occurrence(id: string, occurrence: string): Promise<OwnMeeting> {
    return this.#ask('GET', `/meetings/${id}/occurrences/${encodeURIComponent(occurrence)}`);
  }

  /** Changes one time of a series; the others stay. */
  changeOccurrence(id: string, occurrence: string, changes: OccurrenceBody): Promise<void> {
    return this.#ask('PUT', `/meetings/${id}/occurrences/${encodeURIComponent(occurrence)}`, changes);
  }

  /** An invitation's text, with times in the reader's zone; of a live meeting also by one's seat, `Meeting.resume`. */
  async invitation(id: string, language: 'zh' | 'en', zone: string, seat?: string): Promise<string> {
    const { text } = await this.#ask<{ text: string }>(
      'GET',
      `/meetings/${id}/invitations${query({ language, zone })}`,
      undefined,
      { seat },
    );
    return text;
  }

  /** Invites by mail and short message, hosts of a live meeting also by their seat; how many messages are on their way. */
  async invite(
    id: string,
    people: { emails?: string[]; sms?: string[]; language: 'zh' | 'en' },
    seat?: string,
  ): Promise<number> {
    const path = `/meetings/${id}/invitations`;
    return (await this.#ask<{ invited: number }>('POST', path, people, { seat })).invited;
  }

  /** Where a participant's picture is, by his `avatar`. */
  avatar(key: string): string {
    return `${this.#server}/api/v1/avatars/${key}`;
  }

  /** Where a booking's calendar file is. */
  calendar(id: string): string {
    return `${this.#server}/api/v1/meetings/${id}/calendar.ics`;
  }

  /** What of one's site is free throughout a time. */
  capacity(start: string, duration: number, early_start = 0): Promise<Capacity> {
    return this.#ask('GET', `/capacity${query({ start, duration, early_start })}`);
  }

  /** The starts of a day, and whether each can be booked. */
  async freeSlots(wanted: {
    day: string;
    duration: number;
    capacity: number;
    zone: string;
    early_start?: number;
  }): Promise<FreeSlot[]> {
    return (await this.#ask<Piece<FreeSlot>>('GET', `/free-slots${query(wanted)}`)).items;
  }

  /** Who may watch a meeting's livestream, and where. */
  watchSettings(id: string): Promise<WatchSettings> {
    return this.#ask('GET', `/meetings/${id}/watch`);
  }

  /** Sets who may watch; links handed out before are void. */
  setWatchSettings(id: string, access: WatchAccess, password?: string): Promise<WatchSettings> {
    return this.#ask('PUT', `/meetings/${id}/watch`, { access, ...(password && { password }) });
  }

  /** Who has registered for a webinar, in order of coming. */
  async registrants(id: string): Promise<Registrant[]> {
    return (await this.#ask<Piece<Registrant>>('GET', `/meetings/${id}/registrants`)).items;
  }

  /** Says whether somebody may watch; who may is sent his link. */
  decideRegistrant(id: string, registrant: string, approved: boolean): Promise<void> {
    return this.#ask('PUT', `/meetings/${id}/registrants/${registrant}`, { approved });
  }

  /** Where they are as a table, with how long each has watched. */
  registrantsTable(id: string): string {
    return `${this.#server}/api/v1/meetings/${id}/registrants.csv`;
  }

  /** By what encoders come into a meeting; none where they may not. */
  async encoderToken(id: string): Promise<EncoderToken | null> {
    try {
      return await this.#ask('GET', `/meetings/${id}/encoder-token`);
    } catch (thrown) {
      if (Problem.from(thrown).code === 'not_found') return null;
      throw thrown;
    }
  }

  /** Lets an encoder in under this name; who came by an earlier token is sent away. */
  newEncoderToken(id: string, name: string): Promise<NewEncoderToken> {
    return this.#ask('POST', `/meetings/${id}/encoder-token`, { name });
  }

  revokeEncoderToken(id: string): Promise<void> {
    return this.#ask('DELETE', `/meetings/${id}/encoder-token`);
  }

  async recordings(): Promise<RecordingInfo[]> {
    return (await this.#ask<Piece<RecordingInfo>>('GET', '/recordings')).items;
  }

  deleteRecording(id: string): Promise<void> {
    return this.#ask('DELETE', `/recordings/${id}`);
  }

  /** The sites one administers. */
  async sites(): Promise<Site[]> {
    return (await this.#ask<Piece<Site>>('GET', '/sites')).items;
  }

  /** What a site may spend on calling telephones, and what it has. */
  calling(site: string): Promise<CallingView> {
    return this.#ask('GET', `/sites/${site}/calling`);
  }

  /** Sets it, for the operator. Calls under way that are over it end. */
  setCalling(site: string, policy: CallingPolicy): Promise<CallingView> {
    return this.#ask('PUT', `/sites/${site}/calling`, policy);
  }

  /** All that a site's callers are told. */
  async prompts(site: string): Promise<PromptInfo[]> {
    return (await this.#ask<Piece<PromptInfo>>('GET', `/sites/${site}/prompts`)).items;
  }

  /** Puts a WAV or Ogg Opus file in a prompt's place. */
  setPrompt(site: string, language: string, prompt: string, file: File): Promise<PromptInfo> {
    return this.#send('PUT', `/sites/${site}/prompts/${language}/${prompt}`, undefined, file);
  }

  /** The product's is said again. */
  removePrompt(site: string, language: string, prompt: string): Promise<void> {
    return this.#ask('DELETE', `/sites/${site}/prompts/${language}/${prompt}`);
  }

  /** Telephone calls of a site's meetings, the newest first. */
  calls(site: string, cursor?: string): Promise<Piece<CallInfo>> {
    return this.#ask('GET', `/sites/${site}/calls${query({ cursor })}`);
  }

  /** Those that reached no meeting, for the operator. */
  strayCalls(cursor?: string): Promise<Piece<CallInfo>> {
    return this.#ask('GET', `/calls${query({ cursor })}`);
  }

  /** Where the newest calls of a site are as a table. */
  callsTable(site: string): string {
    return `${this.#server}/api/v1/sites/${site}/calls.csv?limit=200`;
  }

  /** What was signalled in a call, as text, with numbers masked. */
  ladder(call: string): Promise<string> {
    return this.#ask('GET', `/calls/${call}/ladder.txt`);
  }

  /** Where it is as a file: to read, or for Wireshark, with whole numbers. */
  ladderFile(call: string, form: 'txt' | 'pcap'): string {
    return `${this.#server}/api/v1/calls/${call}/ladder.${form}`;
  }

  meetingByNumber(number: string): Promise<Door> {
    return this.#ask('GET', `/meetings/by-number/${encodeURIComponent(number)}`);
  }

  broadcast(id: string): Promise<BroadcastInfo> {
    return this.#ask('GET', `/broadcasts/${encodeURIComponent(id)}`);
  }

  info(): Promise<Info> {
    return this.#ask('GET', '/info');
  }

  /** Sends what is no JSON, from a seat where there is one. */
  async #send<Answer>(
    method: string,
    path: string,
    seat: string | undefined,
    body: File | string,
  ): Promise<Answer> {
    const headers = {
      ...(seat && { 'Huitong-Seat': seat }),
      ...(this.language && { 'Accept-Language': this.language }),
    };
    let response: Response;
    try {
      response = await fetch(`${this.#server}/api/v1${path}`, { method, headers, body });
    } catch {
      throw Problem.local('unreachable');
    }
    return answerOf(response);
  }

  async #ask<Answer>(method: string, path: string, body?: unknown, asked: Asked = {}): Promise<Answer> {
    const headers = new Headers({ Accept: 'application/json' });
    if (this.language) headers.set('Accept-Language', this.language);
    if (body !== undefined) headers.set('Content-Type', 'application/json');
    if (asked.key) headers.set('Idempotency-Key', asked.key);
    if (asked.seat) headers.set('Huitong-Seat', asked.seat);
    let response: Response;
    try {
      response = await fetch(`${this.#server}/api/v1${path}`, {
        method,
        headers,
        ...(body !== undefined && { body: JSON.stringify(body) }),
        // What is taken away is so even if the page is shut meanwhile.
        keepalive: method === 'DELETE',
      });
    } catch {
      throw Problem.local('unreachable');
    }
    return answerOf(response);
  }
}

/** JSON as what it says, text as it is, and nothing where there is nothing. */
async function answerOf<Answer>(response: Response): Promise<Answer> {
  if (!response.ok) throw await problemOf(response);
  const kind = response.headers.get('Content-Type') ?? '';
  const answer: unknown = kind.includes('json')
    ? await response.json()
    : kind.startsWith('text/')
      ? await response.text()
      : undefined;
  return answer as Answer;
}

async function problemOf(response: Response): Promise<Problem> {
  const wait = Number(response.headers.get('Retry-After') ?? Number.NaN);
  const body: unknown = await response.json().catch(() => null);
  const isProblem = typeof body === 'object' && body !== null && 'code' in body && 'title' in body;
  // What a proxy in between answers is no problem of ours.
  const problem = isProblem ? (body as ProblemBody) : { code: 'failed', title: '' };
  return new Problem(problem, Number.isFinite(wait) ? wait : null);
}
