/** What the REST API's bodies are. Made by `npm run types`; not to be edited. */

/**
 * How an account books.
 *
 * This interface was referenced by `RestApi`'s JSON-Schema
 * via the `definition` "BookingMode".
 */
export type BookingMode = 'dedicated' | 'shared' | 'concurrent';
/**
 * What somebody may do beyond his own meetings.
 *
 * This interface was referenced by `RestApi`'s JSON-Schema
 * via the `definition` "AccountRole".
 */
export type AccountRole = 'operator' | 'administrator' | 'member';
/**
 * Who may watch.
 *
 * This interface was referenced by `RestApi`'s JSON-Schema
 * via the `definition` "WatchAccess".
 */
export type WatchAccess = 'public' | 'password' | 'link' | 'registered' | 'registration';
/**
 * This interface was referenced by `RestApi`'s JSON-Schema
 * via the `definition` "By".
 */
export type By = 'email' | 'sms';
/**
 * This interface was referenced by `RestApi`'s JSON-Schema
 * via the `definition` "FreeRoom".
 */
export type FreeRoom = RoomView & {
  /**
   * 可用.
   */
  free: boolean;
};

export interface RestApi {
  [k: string]: unknown;
}
/**
 * This interface was referenced by `RestApi`'s JSON-Schema
 * via the `definition` "AccountBody".
 */
export interface AccountBody {
  account: AccountView;
}
/**
 * Somebody who can log in.
 *
 * This interface was referenced by `RestApi`'s JSON-Schema
 * via the `definition` "AccountView".
 */
export interface AccountView {
  /**
   * A `data:` URL.
   */
  avatar?: string | null;
  /**
   * The most participants of a dedicated account's own room.
   */
  capacity: number;
  disabled: boolean;
  display_name: string;
  email?: string | null;
  id: string;
  /**
   * The password is still the one that was given.
   */
  initial_password: boolean;
  /**
   * Its site has livestreams.
   */
  livestream: boolean;
  mobile?: string | null;
  mode: BookingMode;
  /**
   * What is typed at the login.
   */
  name: string;
  role: AccountRole;
  /**
   * The site's name.
   */
  site: string;
  site_id: string;
}
/**
 * A viewer.
 *
 * This interface was referenced by `RestApi`'s JSON-Schema
 * via the `definition` "AttendBody".
 */
export interface AttendBody {
  /**
   * Where access is by password.
   */
  password?: string | null;
  /**
   * What the link has after its `#`, where access is by link or by registration.
   */
  signature?: string | null;
  /**
   * 1 to 32 hexadecimal digits, by which he is counted once; drawn by his page.
   */
  viewer: string;
}
/**
 * What a viewer is told.
 *
 * This interface was referenced by `RestApi`'s JSON-Schema
 * via the `definition` "AttendView".
 */
export interface AttendView {
  /**
   * For so many seconds files are answered to him; absent where they are to everyone.
   */
  pass_seconds?: number | null;
  viewers: number;
  viewers_peak: number;
}
/**
 * A line of the audit log.
 *
 * This interface was referenced by `RestApi`'s JSON-Schema
 * via the `definition` "AuditView".
 */
export interface AuditView {
  /**
   * Who; absent: the server itself.
   */
  account?: string | null;
  action: string;
  at: string;
  id: string;
  /**
   * To what: kind and id.
   */
  object: string;
}
/**
 * A booking. What is absent has its default.
 *
 * This interface was referenced by `RestApi`'s JSON-Schema
 * via the `definition` "BookBody".
 */
export interface BookBody {
  /**
   * 方数; not for dedicated accounts.
   */
  capacity?: number | null;
  /**
   * In minutes.
   */
  duration?: number | null;
  /**
   * In minutes: 0, 30 or 60.
   */
  early_start?: number | null;
  options?: Options | null;
  /**
   * 4 to 10 digits.
   */
  password?: string | null;
  /**
   * The value of an RRULE property: daily, weekly or monthly, with COUNT or UNTIL.
   */
  recurrence?: string | null;
  /**
   * For shared accounts.
   */
  room?: string | null;
  /**
   * Absent: now (即时会议).
   */
  start?: string | null;
  title: string;
  /**
   * IANA; the times of a series are kept in it.
   */
  zone?: string | null;
}
/**
 * What is agreed on for a meeting.
 *
 * This interface was referenced by `RestApi`'s JSON-Schema
 * via the `definition` "Options".
 */
export interface Options {
  approval?: boolean | null;
  host_video?: boolean | null;
  join_before_host?: boolean | null;
  livestream?: boolean | null;
  mute_on_entry?: boolean | null;
  participant_video?: boolean | null;
  recording?: boolean | null;
  waiting_room?: boolean | null;
  webinar?: boolean | null;
}
/**
 * A page its owner shares often.
 *
 * This interface was referenced by `RestApi`'s JSON-Schema
 * via the `definition` "BookmarkView".
 */
export interface BookmarkView {
  id: string;
  name: string;
  url: string;
}
/**
 * A livestream as its viewers see it.
 *
 * This interface was referenced by `RestApi`'s JSON-Schema
 * via the `definition` "BroadcastView".
 */
export interface BroadcastView {
  access: WatchAccess;
  /**
   * Who made the meeting.
   */
  host?: string | null;
  /**
   * Its own, by which its files and its chat are found. A meeting's address leads to another one each time it is live.
   */
  id: string;
  playlist: string;
  /**
   * The picture to be shown while it is `waiting`, where the operator has one.
   */
  poster?: string | null;
  /**
   * What was recorded of it, once it is over.
   */
  replay?: string | null;
  /**
   * And what was said, as WebVTT, where it was written down.
   */
  replay_captions?: string | null;
  /**
   * When it is planned to begin next, where it has a time.
   */
  start?: string | null;
  /**
   * `live` when the playlist can be fetched, `waiting` before, `ended` when there is a recording of it.
   */
  state: string;
  title: string;
  /**
   * How many have the page open.
   */
  viewers: number;
  /**
   * The most there were at once.
   */
  viewers_peak: number;
}
/**
 * One telephone call, or one stay of a browser in a meeting.
 *
 * This interface was referenced by `RestApi`'s JSON-Schema
 * via the `definition` "CallView".
 */
export interface CallView {
  /**
   * When somebody took it.
   */
  answered?: string | null;
  /**
   * Of its SIP messages; empty of browsers.
   */
  call_id: string;
  /**
   * Why it ended.
   */
  cause: string;
  codec: string;
  /**
   * In the currency the operator writes prices in; of calls the server made.
   */
  cost: number;
  /**
   * `in`, or `out` where the server called.
   */
  direction: string;
  /**
   * By how many decibels a telephone gave back what it was sent, softer (echo return loss); where `media.echo_guard` found an echo.
   */
  echo_db?: number | null;
  id: string;
  jitter_ms: number;
  /**
   * `phone` or `web`.
   */
  kind: string;
  /**
   * Those that should have come besides.
   */
  lost: number;
  meeting?: string | null;
  /**
   * Mean opinion score by ITU-T G.107, from 1 to 4.5.
   */
  mos?: number | null;
  /**
   * How a browser's participant called himself; empty of telephones.
   */
  name: string;
  /**
   * Masked; empty of browsers.
   */
  number: string;
  /**
   * Why a telephone that was spoken to was not heard: `no_packets`, `not_decryptable` (by the key agreed on) or `silent`.
   */
  one_way?: string | null;
  /**
   * Who it was in the meeting.
   */
  participant?: string | null;
  /**
   * RTP packets that came.
   */
  received: number;
  /**
   * Interarrival jitter of the others, as it told.
   */
  reported_jitter_ms?: number | null;
  /**
   * Of the packets that went, those that did not reach a telephone, as it told by RTCP.
   */
  reported_lost?: number | null;
  /**
   * Mean opinion score of what it heard by that.
   */
  reported_mos?: number | null;
  round_trip_ms?: number | null;
  /**
   * From the first INVITE to the end.
   */
  seconds: number;
  sent: number;
  start: string;
}
/**
 * What a site may spend. Money is in the currency the operator writes prices in.
 *
 * This interface was referenced by `RestApi`'s JSON-Schema
 * via the `definition` "CallingBody".
 */
export interface CallingBody {
  /**
   * Telephones may be called at all.
   */
  allowed: boolean;
  /**
   * Of 24 hours; null: nothing is reckoned.
   */
  budget_per_day?: number | null;
  /**
   * Calls at once.
   */
  calls_max: number;
  /**
   * Of 24 hours, all calls together, each rounded up.
   */
  minutes_per_day: number;
  /**
   * What numbers must begin with, of those the carriers allow; all where there is none.
   *
   * @maxItems 200
   */
  prefixes: string[];
  /**
   * How often one number is called in an hour.
   */
  same_number_per_hour: number;
}
/**
 * This interface was referenced by `RestApi`'s JSON-Schema
 * via the `definition` "CallingView".
 */
export interface CallingView {
  policy: CallingBody;
  used: UsedView;
}
/**
 * What it has used of that.
 *
 * This interface was referenced by `RestApi`'s JSON-Schema
 * via the `definition` "UsedView".
 */
export interface UsedView {
  /**
   * Under way.
   */
  calls: number;
  /**
   * Of the last 24 hours.
   */
  cost: number;
  /**
   * Of the last 24 hours.
   */
  minutes: number;
}
/**
 * What is free at a time.
 *
 * This interface was referenced by `RestApi`'s JSON-Schema
 * via the `definition` "CapacityView".
 */
export interface CapacityView {
  /**
   * Ports of the site that are free throughout.
   */
  ports_free: number;
  rooms: FreeRoom[];
}
/**
 * A shared room.
 *
 * This interface was referenced by `RestApi`'s JSON-Schema
 * via the `definition` "RoomView".
 */
export interface RoomView {
  /**
   * 方数.
   */
  capacity: number;
  id: string;
  name: string;
}
/**
 * What is to be changed; what is absent stays.
 *
 * This interface was referenced by `RestApi`'s JSON-Schema
 * via the `definition` "Change".
 */
export interface Change {
  /**
   * A `data:` URL of a PNG, JPEG or WebP picture; empty: none.
   */
  avatar?: string | null;
  capacity?: number | null;
  disabled?: boolean | null;
  display_name?: string | null;
  /**
   * Empty: none.
   */
  email?: string | null;
  /**
   * Empty: none.
   */
  mobile?: string | null;
  mode?: BookingMode | null;
  role?: AccountRole | null;
}
/**
 * This interface was referenced by `RestApi`'s JSON-Schema
 * via the `definition` "ChangePassword".
 */
export interface ChangePassword {
  new_password: string;
  old_password: string;
}
/**
 * This interface was referenced by `RestApi`'s JSON-Schema
 * via the `definition` "Create".
 */
export interface Create {
  /**
   * The most participants of a dedicated account's own room.
   */
  capacity?: number | null;
  display_name: string;
  email?: string | null;
  mobile?: string | null;
  mode: BookingMode;
  /**
   * What is typed at the login.
   */
  name: string;
  /**
   * The first one; its owner is asked to change it.
   */
  password: string;
  role?: AccountRole | null;
}
/**
 * This interface was referenced by `RestApi`'s JSON-Schema
 * via the `definition` "DecisionBody".
 */
export interface DecisionBody {
  approved: boolean;
}
/**
 * This interface was referenced by `RestApi`'s JSON-Schema
 * via the `definition` "Dial".
 */
export interface Dial {
  /**
   * What to key in at once after the call is answered.
   */
  one_touch: string;
  /**
   * Address for SIP phones and room systems.
   */
  sip: string;
}
/**
 * A meeting as anyone sees it who knows its number.
 *
 * This interface was referenced by `RestApi`'s JSON-Schema
 * via the `definition` "DoorView".
 */
export interface DoorView {
  id: string;
  needs_password: boolean;
  number: string;
  state: string;
  title: string;
}
/**
 * This interface was referenced by `RestApi`'s JSON-Schema
 * via the `definition` "EncoderTokenBody".
 */
export interface EncoderTokenBody {
  /**
   * 1 to 40 characters: how the others in the meeting see the encoder.
   */
  name: string;
}
/**
 * A meeting's token, without itself.
 *
 * This interface was referenced by `RestApi`'s JSON-Schema
 * via the `definition` "EncoderTokenView".
 */
export interface EncoderTokenView {
  created: string;
  /**
   * As the others in the meeting see the encoder.
   */
  name: string;
  /**
   * The server of encoders that come by RTMP; the token is the stream's key. None where this server takes none.
   */
  rtmp?: string | null;
  /**
   * Where the encoder's description goes (RFC 9725).
   */
  url: string;
}
/**
 * This interface was referenced by `RestApi`'s JSON-Schema
 * via the `definition` "FileView".
 */
export interface FileView {
  bytes: number;
  id: string;
  name: string;
  /**
   * Where it can be fetched while the meeting lasts.
   */
  url: string;
}
/**
 * This interface was referenced by `RestApi`'s JSON-Schema
 * via the `definition` "Forgot".
 */
export interface Forgot {
  by: By;
  /**
   * The login name.
   */
  name: string;
}
/**
 * This interface was referenced by `RestApi`'s JSON-Schema
 * via the `definition` "GrowthView".
 */
export interface GrowthView {
  /**
   * More participants than now, within the free ports of the site and the largest meeting.
   */
  ports: number;
}
/**
 * The server.
 *
 * This interface was referenced by `RestApi`'s JSON-Schema
 * via the `definition` "Info".
 */
export interface Info {
  languages: string[];
  /**
   * Mail is sent: invitations, ways to a new password.
   */
  mail: boolean;
  /**
   * Origins whose pages may show meetings in a frame.
   */
  origins: string[];
  /**
   * Telephone numbers that lead here.
   */
  phones: PhoneView[];
  /**
   * Text of the button that leads to `/api/v1/sign-on`; absent where there is no single sign-on.
   */
  sign_on?: string | null;
  sip: SipView;
  /**
   * The same by short message.
   */
  sms: boolean;
  support: SupportView;
  version: string;
  /**
   * Where the pages are, for links: as the operator has set it, else as the caller reached them.
   */
  web: string;
}
/**
 * This interface was referenced by `RestApi`'s JSON-Schema
 * via the `definition` "PhoneView".
 */
export interface PhoneView {
  name: string;
  number: string;
}
/**
 * This interface was referenced by `RestApi`'s JSON-Schema
 * via the `definition` "SipView".
 */
export interface SipView {
  host: string;
  tcp?: number | null;
  udp?: number | null;
}
/**
 * Whom people turn to when they need help; null where the operator set nobody.
 *
 * This interface was referenced by `RestApi`'s JSON-Schema
 * via the `definition` "SupportView".
 */
export interface SupportView {
  /**
   * 客服热线.
   */
  hotline?: string | null;
  /**
   * 在线客服.
   */
  url?: string | null;
}
/**
 * This interface was referenced by `RestApi`'s JSON-Schema
 * via the `definition` "InviteBody".
 */
export interface InviteBody {
  emails?: string[];
  /**
   * `zh` or `en`; the caller's where absent.
   */
  language?: string | null;
  /**
   * Mobile numbers.
   */
  sms?: string[];
}
/**
 * This interface was referenced by `RestApi`'s JSON-Schema
 * via the `definition` "InvitedView".
 */
export interface InvitedView {
  /**
   * Messages on their way.
   */
  invited: number;
}
/**
 * This interface was referenced by `RestApi`'s JSON-Schema
 * via the `definition` "Login".
 */
export interface Login {
  name: string;
  password: string;
}
/**
 * A meeting as its owner sees it.
 *
 * This interface was referenced by `RestApi`'s JSON-Schema
 * via the `definition` "MeetingView".
 */
export interface MeetingView {
  capacity: number;
  dial: Dial;
  /**
   * In minutes.
   */
  duration: number;
  /**
   * In minutes.
   */
  early_start: number;
  id: string;
  /**
   * For invitations.
   */
  link: string;
  mode: BookingMode;
  number: string;
  /**
   * In a list: names this time of a series.
   */
  occurrence?: string | null;
  options: Options;
  password?: string | null;
  /**
   * It has the account's personal number.
   */
  personal: boolean;
  /**
   * The value of an RRULE property.
   */
  recurrence?: string | null;
  room?: string | null;
  /**
   * In a list, this time; else the first. Absent where it is open at any time.
   */
  start?: string | null;
  /**
   * `live` while somebody is in it, else `idle`.
   */
  state: string;
  title: string;
  /**
   * Where its livestream will be, where it is to have one: with the signature, where access is by link.
   */
  watch?: string | null;
  zone: string;
}
/**
 * One participant's network, measured over the latest two seconds.
 *
 * This interface was referenced by `RestApi`'s JSON-Schema
 * via the `definition` "NetworkView".
 */
export interface NetworkView {
  down: WayView;
  /**
   * What his line is taken to carry, in bits per second.
   */
  estimate?: number | null;
  /**
   * How often pictures stood still at his, as his browser says, and for how long in all, in milliseconds.
   */
  freezes: number;
  frozen_ms: number;
  name: string;
  participant: string;
  paused_ms: number;
  /**
   * How often a picture was left out for which his line had no room, and for how long in all, in milliseconds; two at once count twice.
   */
  pauses: number;
  /**
   * The pictures on his page.
   */
  pictures: PictureView[];
  /**
   * He will have noticed: what others are told as `network_poor`.
   */
  poor: boolean;
  /**
   * To him and back, in milliseconds.
   */
  round_trip_ms?: number | null;
  /**
   * What he sends.
   */
  tracks: TrackView[];
  up: WayView;
  /**
   * `web`, `phone` or `encoder`.
   */
  via: string;
}
/**
 * One way between a participant and the server.
 *
 * This interface was referenced by `RestApi`'s JSON-Schema
 * via the `definition` "WayView".
 */
export interface WayView {
  /**
   * In bits per second; null of telephones.
   */
  bitrate?: number | null;
  /**
   * Of voices (RFC 3550 §6.4.1), in milliseconds.
   */
  jitter_ms: number;
  /**
   * Packets that did not come at first, of all, 0 to 1; what was missing may have been sent again. Null where too few were
   * sent to say.
   */
  loss?: number | null;
}
/**
 * One picture on a page.
 *
 * This interface was referenced by `RestApi`'s JSON-Schema
 * via the `definition` "PictureView".
 */
export interface PictureView {
  /**
   * `camera` or `screen`.
   */
  kind: string;
  /**
   * Which layer is sent, from 0, the smallest; null while the line carries none.
   */
  layer?: number | null;
  participant: string;
}
/**
 * One layer of what is sent.
 *
 * This interface was referenced by `RestApi`'s JSON-Schema
 * via the `definition` "TrackView".
 */
export interface TrackView {
  /**
   * In bits per second.
   */
  bitrate: number;
  /**
   * Of the picture, in pixels.
   */
  height?: number | null;
  /**
   * `audio`, `camera` or `screen`.
   */
  kind: string;
  /**
   * From 0, the smallest.
   */
  layer: number;
}
/**
 * This interface was referenced by `RestApi`'s JSON-Schema
 * via the `definition` "NewBookmark".
 */
export interface NewBookmark {
  /**
   * At most 80 characters.
   */
  name: string;
  /**
   * `http://` or `https://`.
   */
  url: string;
}
/**
 * What an encoder is set up with.
 *
 * This interface was referenced by `RestApi`'s JSON-Schema
 * via the `definition` "NewEncoderTokenView".
 */
export interface NewEncoderTokenView {
  /**
   * As the others in the meeting see the encoder.
   */
  name: string;
  /**
   * The server of encoders that come by RTMP; the token is the stream's key. None where this server takes none.
   */
  rtmp?: string | null;
  /**
   * Its bearer token. It is shown here and never again.
   */
  token: string;
  /**
   * Where the encoder's description goes (RFC 9725): OBS calls it server.
   */
  url: string;
}
/**
 * What is to be different for one time of a series. What is absent stays as it is for that time.
 *
 * This interface was referenced by `RestApi`'s JSON-Schema
 * via the `definition` "OccurrenceBody".
 */
export interface OccurrenceBody {
  /**
   * 方数; not for dedicated accounts.
   */
  capacity?: number | null;
  /**
   * In minutes; only for dedicated accounts.
   */
  duration?: number | null;
  /**
   * In minutes: 0, 30 or 60.
   */
  early_start?: number | null;
  options?: Options | null;
  /**
   * 4 to 10 digits; empty: none is asked for.
   */
  password?: string | null;
  /**
   * For shared accounts.
   */
  room?: string | null;
  start?: string | null;
  title?: string | null;
}
/**
 * One time a meeting is held.
 *
 * This interface was referenced by `RestApi`'s JSON-Schema
 * via the `definition` "OccurrenceView".
 */
export interface OccurrenceView {
  /**
   * With extensions.
   */
  end: string;
  /**
   * Names it: its start by the rule.
   */
  occurrence: string;
  start: string;
}
/**
 * What a host keys on a telephone to be one.
 *
 * This interface was referenced by `RestApi`'s JSON-Schema
 * via the `definition` "PhonePin".
 */
export interface PhonePin {
  /**
   * Eight digits; null where none was drawn yet.
   */
  pin?: string | null;
}
/**
 * Something callers are told.
 *
 * This interface was referenced by `RestApi`'s JSON-Schema
 * via the `definition` "PromptView".
 */
export interface PromptView {
  /**
   * When the site handed in its own; null where the product's is said.
   */
  changed?: string | null;
  /**
   * Its sound, an Ogg Opus file.
   */
  file: string;
  /**
   * `zh-CN` or `en-US`.
   */
  language: string;
  /**
   * Its name.
   */
  prompt: string;
  /**
   * What the product's says.
   */
  text: string;
}
/**
 * One voice of a recording: Opus in Ogg, as long as the film, silent where it was silent.
 *
 * This interface was referenced by `RestApi`'s JSON-Schema
 * via the `definition` "RecordedTrackView".
 */
export interface RecordedTrackView {
  bytes: number;
  file: string;
  /**
   * Whose it is, as all saw it.
   */
  name: string;
}
/**
 * A meeting's film.
 *
 * This interface was referenced by `RestApi`'s JSON-Schema
 * via the `definition` "RecordingView".
 */
export interface RecordingView {
  bytes: number;
  /**
   * What was said, as WebVTT, where it was written down.
   */
  captions?: string | null;
  file: string;
  id: string;
  meeting: string;
  seconds: number;
  start: string;
  /**
   * `recording`, or `ready` to be fetched.
   */
  state: string;
  title: string;
  /**
   * Each voice by itself, where the server keeps them.
   */
  tracks?: RecordedTrackView[];
  /**
   * Where its audience can see it: with the signature, where access is by link.
   */
  watch?: string | null;
}
/**
 * What became of it.
 *
 * This interface was referenced by `RestApi`'s JSON-Schema
 * via the `definition` "RegisteredView".
 */
export interface RegisteredView {
  /**
   * What the watch address has after its `#` for him; absent where the address was `known`.
   */
  signature?: string | null;
  /**
   * `approved`: he may watch. `waiting`: once the owner has said so. `known`: that address was registered before, and has been sent
   * its link again where it may watch.
   */
  state: string;
}
/**
 * Who has registered, and how long he has watched.
 *
 * This interface was referenced by `RestApi`'s JSON-Schema
 * via the `definition` "RegistrantView".
 */
export interface RegistrantView {
  email: string;
  /**
   * When his page was first there while it was live.
   */
  first?: string | null;
  id: string;
  /**
   * And last.
   */
  last?: string | null;
  name: string;
  /**
   * May be empty.
   */
  organisation: string;
  registered: string;
  /**
   * `waiting`, `approved` or `denied`.
   */
  state: string;
  /**
   * To the minute.
   */
  watched_seconds: number;
}
/**
 * Who wants to watch.
 *
 * This interface was referenced by `RestApi`'s JSON-Schema
 * via the `definition` "RegistrationBody".
 */
export interface RegistrationBody {
  /**
   * Where his link is sent.
   */
  email: string;
  /**
   * 1 to 40 characters.
   */
  name: string;
  /**
   * At most 80 characters.
   */
  organisation?: string;
}
/**
 * A meeting that begins soon.
 *
 * This interface was referenced by `RestApi`'s JSON-Schema
 * via the `definition` "ReminderView".
 */
export interface ReminderView {
  /**
   * Who booked it.
   */
  host: string;
  id: string;
  number: string;
  own: boolean;
  /**
   * Only to who booked it.
   */
  password?: string | null;
  start: string;
  /**
   * Seconds until the start; negative once it has begun.
   */
  starts_in: number;
  title: string;
}
/**
 * This interface was referenced by `RestApi`'s JSON-Schema
 * via the `definition` "Reset".
 */
export interface Reset {
  /**
   * The login name, where the secret is a code.
   */
  name?: string | null;
  new_password: string;
  /**
   * What the link ends in, or the code.
   */
  secret: string;
}
/**
 * This interface was referenced by `RestApi`'s JSON-Schema
 * via the `definition` "RoomBody".
 */
export interface RoomBody {
  capacity: number;
  name: string;
}
/**
 * Who may watch from now on.
 *
 * This interface was referenced by `RestApi`'s JSON-Schema
 * via the `definition` "SettingsBody".
 */
export interface SettingsBody {
  access: WatchAccess;
  /**
   * 4 to 10 digits, where access is by password.
   */
  password?: string | null;
}
/**
 * Who may watch a meeting's livestream and its recording.
 *
 * This interface was referenced by `RestApi`'s JSON-Schema
 * via the `definition` "SettingsView".
 */
export interface SettingsView {
  access: WatchAccess;
  /**
   * To be handed out: with the signature, where access is by link.
   */
  link: string;
  /**
   * Where access is by password.
   */
  password?: string | null;
}
/**
 * This interface was referenced by `RestApi`'s JSON-Schema
 * via the `definition` "SiteBody".
 */
export interface SiteBody {
  livestream: boolean;
  name: string;
  ports: number;
  /**
   * IANA, for example Asia/Shanghai.
   */
  zone: string;
}
/**
 * A customer of the server.
 *
 * This interface was referenced by `RestApi`'s JSON-Schema
 * via the `definition` "SiteView".
 */
export interface SiteView {
  id: string;
  /**
   * Bookings may have a livestream.
   */
  livestream: boolean;
  name: string;
  /**
   * 并发.
   */
  ports: number;
  /**
   * IANA.
   */
  zone: string;
}
/**
 * A start, and whether it can be booked.
 *
 * This interface was referenced by `RestApi`'s JSON-Schema
 * via the `definition` "SlotView".
 */
export interface SlotView {
  free: boolean;
  start: string;
}
/**
 * This interface was referenced by `RestApi`'s JSON-Schema
 * via the `definition` "TextView".
 */
export interface TextView {
  text: string;
}
/**
 * This interface was referenced by `RestApi`'s JSON-Schema
 * via the `definition` "WebhookBody".
 */
export interface WebhookBody {
  /**
   * Names of events; none: all.
   */
  events?: string[];
  /**
   * https, outside the server's own network.
   */
  url: string;
}
/**
 * Who gets events of a site.
 *
 * This interface was referenced by `RestApi`'s JSON-Schema
 * via the `definition` "WebhookView".
 */
export interface WebhookView {
  /**
   * Empty: all.
   */
  events: string[];
  id: string;
  /**
   * Shown once, when it is made: signs what is sent.
   */
  secret?: string | null;
  url: string;
}
/**
 * A whiteboard: merged in any order, its drawings give the picture.
 *
 * This interface was referenced by `RestApi`'s JSON-Schema
 * via the `definition` "WhiteboardView".
 */
export interface WhiteboardView {
  /**
   * Updates of Yjs (version 1) in base64, the oldest first.
   */
  drawings: string[];
  /**
   * The newest one's number; drawings with a higher one follow over the WebSocket.
   */
  last: number;
}
