/**
 * The words of the client protocol, as `docs/reference/client-protocol.md` has them. Nothing here does anything but
 * tell our messages from nonsense.
 */

/** A seat in a meeting; the same after coming back. */
export type ParticipantId = string;

export type Role = 'host' | 'co_host' | 'member';
export type Via = 'web' | 'phone';
export type TrackKind = 'audio' | 'camera' | 'screen';

export interface Participant {
  id: ParticipantId;
  name: string;
  role: Role;
  via: Via;
  /** A phone's number with its middle hidden. */
  number: string | null;
  muted: boolean;
  camera: boolean;
  screen: boolean;
  hand: boolean;
  /** False while the network is gone and the seat is kept. */
  connected: boolean;
}

export interface MeetingView {
  id: string;
  /** Nine digits, shown in threes. */
  number: string;
  title: string;
  /** The most participants at once. */
  capacity: number;
  /** When it ends, milliseconds since 1970; null for one's own room. */
  ends_ms: number | null;
  /** It may be extended and enlarged. */
  scalable: boolean;
  /** It may have a livestream. */
  livestream: boolean;
  host_video: boolean;
  participant_video: boolean;
  locked: boolean;
  /** Only hosts share. */
  share_locked: boolean;
  /** Who comes waits to be admitted. */
  waiting_room: boolean;
  mute_on_entry: boolean;
  /** Large for all. */
  spotlight: ParticipantId | null;
  /** Whether members may unmute themselves. */
  self_unmute: boolean;
  /** What is seen and said is being recorded. */
  recording: boolean;
}

export interface Broadcast {
  id: string;
  state: 'starting' | 'live' | 'restarting';
  /** Path of the watch page. */
  watch: string;
  layout: BroadcastLayout;
}

/** How the audience's picture is put together. */
export type BroadcastLayout = 'speaker' | 'gallery' | 'picture_in_picture';

/** Somebody at the door, as hosts see him. */
export interface WaitingPerson {
  id: ParticipantId;
  name: string;
  via: Via;
}

/** What was said, to all or to one. */
export interface ChatMessage {
  /** Grows in this meeting. */
  id: number;
  from: ParticipantId;
  /** The speaker's name at that time. */
  name: string;
  /** Null: to all. */
  to: ParticipantId | null;
  text: string;
  at_ms: number;
}

export interface Poll {
  id: number;
  question: string;
  choices: { text: string; votes: number }[];
  /** More than one may be chosen. */
  multiple: boolean;
  open: boolean;
  /** How many have voted. */
  voters: number;
}

export const REACTIONS = ['clap', 'like', 'heart', 'laugh', 'surprise', 'celebrate'] as const;
export type Reaction = (typeof REACTIONS)[number];

export type Command =
  | {
      type: 'mute' | 'unmute' | 'remove' | 'make_host' | 'stop_camera' | 'ask_camera' | 'admit' | 'deny';
      participant: ParticipantId;
    }
  | { type: 'make_co_host'; participant: ParticipantId; on: boolean }
  | { type: 'mute_all'; self_unmute: boolean }
  | { type: 'camera' | 'screen' | 'lock' | 'lock_share' | 'waiting_room' | 'mute_on_entry'; on: boolean }
  | { type: 'rename'; participant: ParticipantId; name: string }
  | { type: 'hand'; up: boolean }
  | { type: 'react'; reaction: Reaction }
  | { type: 'spotlight'; participant: ParticipantId | null }
  | { type: 'chat'; to: ParticipantId | null; text: string }
  | { type: 'start_poll'; question: string; choices: string[]; multiple: boolean }
  | { type: 'close_poll'; poll: number }
  | { type: 'vote'; poll: number; choices: number[] }
  | { type: 'extend'; minutes: number }
  | { type: 'enlarge'; by: number }
  | { type: 'layout'; layout: BroadcastLayout }
  | {
      type:
        | 'unmute_all'
        | 'admit_all'
        | 'lower_hands'
        | 'start_broadcast'
        | 'stop_broadcast'
        | 'start_recording'
        | 'stop_recording'
        | 'leave'
        | 'end';
    };

export type LeaveReason = 'left' | 'removed' | 'lost';

export type MeetingEvent =
  | { type: 'participant_joined' | 'participant_changed'; participant: Participant }
  | { type: 'participant_left'; id: ParticipantId; reason: LeaveReason }
  | { type: 'meeting_changed'; meeting: MeetingView }
  | { type: 'reacted'; participant: ParticipantId; reaction: Reaction }
  | { type: 'chat'; message: ChatMessage }
  | { type: 'poll_changed'; poll: Poll }
  | { type: 'broadcast_changed'; broadcast: Broadcast | null };

/** What others are not told. */
export type Whisper = { type: 'waiting'; people: WaitingPerson[] } | { type: 'chat'; message: ChatMessage };

/** What a receiving m-line carries now. */
export interface Slot {
  mid: string;
  participant: ParticipantId | null;
  kind: TrackKind;
}

export type Notice =
  | 'muted'
  | 'unmuted'
  | 'asked_to_unmute'
  | 'camera_stopped'
  | 'asked_to_show'
  | 'share_stopped'
  | 'made_host'
  | 'made_co_host'
  | 'ends_soon'
  | 'ends_in5';

/** What one waits for at the door. */
export type WaitReason = 'host' | 'admission';

export type EndReason =
  'removed' | 'meeting_ended' | 'time_up' | 'left' | 'replaced' | 'server_stopping' | 'too_slow';

export interface ProblemBody {
  /** Stable, for programs. */
  code: string;
  /** For people, in their language. */
  title: string;
  /** What exactly. */
  detail?: string;
}

export type ClientMessage =
  | { type: 'join'; name: string; password?: string; resume?: string }
  | { type: 'publish' | 'subscribe'; id: number; sdp: string }
  | { type: 'command'; id: number; command: Command };

export interface Joined {
  type: 'joined';
  you: ParticipantId;
  /** The secret that gives the same seat again. */
  resume: string;
  meeting: MeetingView;
  seq: number;
  participants: Participant[];
  /** Said to all and to oneself. */
  chat: ChatMessage[];
  polls: Poll[];
  /** At the door; for hosts. */
  waiting: WaitingPerson[];
  broadcast: Broadcast | null;
}

export type ServerMessage =
  | Joined
  | { type: 'answer'; id: number; sdp: string }
  | { type: 'done'; id: number }
  | { type: 'refused'; id?: number | null; problem: ProblemBody }
  | { type: 'event'; seq: number; event: MeetingEvent }
  | { type: 'slots'; slots: Slot[] }
  | { type: 'speaking'; participants: ParticipantId[]; active: ParticipantId | null }
  | { type: 'notice'; notice: Notice }
  | { type: 'waiting'; reason: WaitReason }
  | { type: 'whisper'; whisper: Whisper }
  | { type: 'ended'; reason: EndReason };

const KNOWN: ReadonlySet<string> = new Set<ServerMessage['type']>([
  'joined',
  'answer',
  'done',
  'refused',
  'event',
  'slots',
  'speaking',
  'notice',
  'waiting',
  'whisper',
  'ended',
]);

/** A frame's message; null for what a newer server may say and we don't understand. */
export function parseServerMessage(text: string): ServerMessage | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof value !== 'object' || value === null || !('type' in value)) return null;
  return typeof value.type === 'string' && KNOWN.has(value.type) ? (value as ServerMessage) : null;
}
