/** The client protocol as the server writes and reads it. Made by `npm run types`; not to be edited. */

export type ClientProtocol = ClientMessage | ServerMessage;
export type ClientMessage =
  | {
      name: string;
      password?: string | null;
      resume?: string | null;
      since?: number | null;
      type: 'join';
    }
  | {
      id: number;
      /**
       * The connection that is goes on by another way (ICE restart, RFC 8445 §9).
       */
      restart?: boolean;
      sdp: string;
      type: 'publish';
    }
  | {
      id: number;
      /**
       * The connection that is goes on by another way (ICE restart, RFC 8445 §9).
       */
      restart?: boolean;
      sdp: string;
      type: 'subscribe';
    }
  | {
      command: Action;
      id: number;
      type: 'command';
    }
  | {
      tiles: ShownTile[];
      type: 'show';
    }
  | {
      count: number;
      ms: number;
      type: 'freezes';
    }
  | {
      id: number;
      type: 'ping';
    };
/**
 * What participants do, as the client protocol has it.
 */
export type Action =
  | {
      participant: ParticipantId;
      type: 'mute';
    }
  | {
      participant: ParticipantId;
      type: 'unmute';
    }
  | {
      /**
       * Whether they may unmute themselves.
       */
      self_unmute: boolean;
      type: 'mute_all';
    }
  | {
      type: 'unmute_all';
    }
  | {
      /**
       * Allowed.
       */
      on: boolean;
      type: 'allow_self_unmute';
    }
  | {
      /**
       * Whoever comes in is muted.
       */
      on: boolean;
      type: 'mute_on_entry';
    }
  | {
      participant: ParticipantId;
      type: 'stop_camera';
    }
  | {
      participant: ParticipantId;
      type: 'ask_camera';
    }
  | {
      participant: ParticipantId;
      type: 'stop_screen';
    }
  | {
      /**
       * Shown.
       */
      on: boolean;
      type: 'camera';
    }
  | {
      /**
       * Shared.
       */
      on: boolean;
      type: 'screen';
    }
  | {
      type: 'show_whiteboard';
    }
  | {
      /**
       * What it is called.
       */
      name?: string | null;
      type: 'show_page';
      /**
       * `http://` or `https://`.
       */
      url: string;
    }
  | {
      /**
       * From 1.
       */
      page: number;
      type: 'turn_to';
    }
  | {
      type: 'stop_showing';
    }
  | {
      /**
       * An update of Yjs (`encodeStateAsUpdate`, version 1) in base64 (RFC 4648 §4).
       */
      drawing: string;
      type: 'draw';
    }
  | {
      participant: ParticipantId;
      type: 'remove';
    }
  | {
      /**
       * To what.
       */
      name: string;
      participant: ParticipantId;
      type: 'rename';
    }
  | {
      participant: ParticipantId;
      type: 'make_host';
    }
  | {
      /**
       * Or no longer.
       */
      on: boolean;
      participant: ParticipantId;
      type: 'make_co_host';
    }
  | {
      type: 'hand';
      /**
       * Up.
       */
      up: boolean;
    }
  | {
      participant: ParticipantId;
      type: 'lower_hand';
    }
  | {
      type: 'lower_hands';
    }
  | {
      reaction: Reaction;
      type: 'react';
    }
  | {
      /**
       * Whom.
       */
      participant?: ParticipantId | null;
      type: 'spotlight';
    }
  | {
      /**
       * On.
       */
      on: boolean;
      type: 'waiting_room';
    }
  | {
      participant: ParticipantId;
      type: 'admit';
    }
  | {
      type: 'admit_all';
    }
  | {
      participant: ParticipantId;
      type: 'deny';
    }
  | {
      /**
       * At most 300 characters.
       */
      text: string;
      type: 'tell_waiting';
    }
  | {
      /**
       * Locked.
       */
      on: boolean;
      type: 'lock';
    }
  | {
      /**
       * Locked.
       */
      on: boolean;
      type: 'lock_share';
    }
  | {
      /**
       * From 1 to 20.
       */
      rooms: number;
      /**
       * The members are spread over them.
       */
      spread: boolean;
      type: 'open_breakouts';
    }
  | {
      type: 'close_breakouts';
    }
  | {
      /**
       * From 1 to 240.
       */
      minutes?: number | null;
      type: 'time_breakouts';
    }
  | {
      /**
       * At most 2,000 characters.
       */
      text: string;
      type: 'tell_rooms';
    }
  | {
      /**
       * Or takes it back.
       */
      on: boolean;
      type: 'ask_help';
    }
  | {
      participant: ParticipantId;
      /**
       * From 1; none: the main room.
       */
      room?: number | null;
      type: 'move_to';
    }
  | {
      /**
       * What.
       */
      text: string;
      /**
       * All, where none is named.
       */
      to?: ParticipantId | null;
      type: 'chat';
    }
  | {
      /**
       * What.
       */
      text: string;
      type: 'tell_viewers';
    }
  | {
      may: ViewersMay;
      type: 'allow_viewers';
    }
  | {
      /**
       * Or not yet.
       */
      answered: boolean;
      /**
       * Which.
       */
      question: number;
      type: 'answer_question';
    }
  | {
      /**
       * Which.
       */
      question: number;
      type: 'remove_question';
    }
  | {
      type: 'lower_viewer_hand';
      viewer: ParticipantId;
    }
  | {
      type: 'call_up';
      viewer: ParticipantId;
    }
  | {
      participant: ParticipantId;
      type: 'send_back';
    }
  | {
      /**
       * Which message.
       */
      message: number;
      type: 'remove_chat';
    }
  | {
      /**
       * Two to ten.
       */
      choices: string[];
      /**
       * More than one may be chosen.
       */
      multiple: boolean;
      /**
       * What is asked.
       */
      question: string;
      type: 'start_poll';
      /**
       * The livestream's viewers vote too (B4).
       */
      viewers?: boolean;
    }
  | {
      /**
       * Which ones, from zero.
       */
      choices: number[];
      /**
       * In which poll.
       */
      poll: number;
      type: 'vote';
    }
  | {
      /**
       * Which.
       */
      poll: number;
      type: 'close_poll';
    }
  | {
      /**
       * Half hours.
       */
      minutes: number;
      type: 'extend';
    }
  | {
      /**
       * By so many seats.
       */
      by: number;
      type: 'enlarge';
    }
  | {
      /**
       * Whose it is; the masked number where absent.
       */
      name?: string | null;
      /**
       * As people write numbers.
       */
      number: string;
      type: 'dial';
    }
  | {
      /**
       * Which call.
       */
      dial: number;
      type: 'redial';
    }
  | {
      /**
       * Which.
       */
      dial: number;
      type: 'stop_dial';
    }
  | {
      type: 'start_broadcast';
    }
  | {
      type: 'stop_broadcast';
    }
  | {
      /**
       * What people call it; the address without its key where absent.
       */
      name?: string | null;
      type: 'start_push';
      url: PushUrl;
    }
  | {
      /**
       * Which.
       */
      push: number;
      type: 'stop_push';
    }
  | {
      layout: Layout;
      type: 'layout';
    }
  | {
      type: 'start_recording';
    }
  | {
      type: 'stop_recording';
    }
  | {
      type: 'leave';
    }
  | {
      type: 'away';
    }
  | {
      type: 'end';
    };
/**
 * One seat in one meeting, whatever it is reached by.
 */
export type ParticipantId = string;
/**
 * What faces say in a meeting (C17).
 */
export type Reaction = 'clap' | 'like' | 'heart' | 'laugh' | 'surprise' | 'celebrate';
/**
 * The address of a target, with the key by which it is known there: a secret, and printed without it.
 */
export type PushUrl = string;
/**
 * How the audience's picture is put together (B2).
 */
export type Layout = 'speaker' | 'gallery' | 'picture_in_picture';
export type TrackKind = 'audio' | 'camera' | 'screen';
export type ServerMessage =
  | {
      /**
       * The livestream.
       */
      broadcast: BroadcastView | null;
      /**
       * What was said to all and to him.
       */
      chat: Message[];
      /**
       * Telephones that were called, the newest last.
       */
      dials: DialView[];
      /**
       * TURN servers, with what they let one in by; none where every browser gets through to us.
       */
      ice_servers: IceServer[];
      meeting: MeetingView;
      missed?: Numbered[] | null;
      /**
       * Everyone, in order of coming.
       */
      participants: Participant[];
      /**
       * All that were asked.
       */
      polls: Poll[];
      /**
       * What viewers ask, the oldest first.
       */
      questions: Question[];
      resume: string;
      /**
       * Events after this number are not in it.
       */
      seq: number;
      type: 'joined';
      /**
       * Viewers whose hands are up, for hosts.
       */
      viewer_hands: ViewerHand[];
      /**
       * Everyone at the door, for hosts.
       */
      waiting: WaitingPerson[];
      you: ParticipantId;
    }
  | {
      reason: WaitReason;
      type: 'waiting';
    }
  | {
      text: string;
      type: 'told';
    }
  | {
      id: number;
      sdp: string;
      type: 'answer';
    }
  | {
      id: number;
      type: 'done';
    }
  | {
      id: number | null;
      problem: ProblemView;
      type: 'refused';
    }
  | {
      event: Event;
      seq: number;
      type: 'event';
    }
  | {
      slots: SlotView[];
      type: 'slots';
    }
  | {
      active: ParticipantId | null;
      participants: ParticipantId[];
      type: 'speaking';
    }
  | {
      notice: Notice;
      type: 'notice';
    }
  | {
      type: 'whisper';
      whisper: Whisper;
    }
  | {
      reason: EndReason;
      type: 'ended';
    };
/**
 * One livestream of one meeting.
 */
export type BroadcastId = string;
/**
 * How a push does.
 */
export type PushState = 'connecting' | 'live' | 'retrying' | 'refused' | 'not_allowed';
/**
 * How a livestream does.
 */
export type BroadcastState = 'starting' | 'live' | 'restarting';
/**
 * The two sides of a livestream's chat (B4).
 */
export type ChatSide = 'viewer' | 'host';
/**
 * What becomes of a telephone that is called (P8).
 */
export type DialState =
  | 'calling'
  | 'ringing'
  | 'answered'
  | 'joined'
  | 'busy'
  | 'no_answer'
  | 'declined'
  | 'no_such_number'
  | 'failed'
  | 'stopped';
/**
 * One meeting, from booking to end.
 */
export type MeetingId = string;
export type MeetingNumber = string;
/**
 * What can be shown.
 */
export type Shown =
  | {
      type: 'whiteboard';
    }
  | {
      file: HandedFile;
      type: 'picture';
    }
  | {
      file: HandedFile;
      /**
       * From 1; whether there is such a page only who reads the file knows.
       */
      page: number;
      type: 'document';
    }
  | {
      /**
       * What it is called.
       */
      name: string | null;
      type: 'page';
      /**
       * `http://` or `https://`.
       */
      url: string;
    };
/**
 * What all are told.
 */
export type Event =
  | {
      participant: Participant;
      type: 'participant_joined';
    }
  | {
      participant: Participant;
      type: 'participant_changed';
    }
  | {
      id: ParticipantId;
      reason: LeaveReason;
      type: 'participant_left';
    }
  | {
      meeting: MeetingView;
      type: 'meeting_changed';
    }
  | {
      participant: ParticipantId;
      reaction: Reaction;
      type: 'reacted';
    }
  | {
      message: Message;
      type: 'chat';
    }
  | {
      poll: Poll;
      type: 'poll_changed';
    }
  | {
      dial: DialView;
      type: 'dial_changed';
    }
  | {
      /**
       * Which message.
       */
      id: number;
      type: 'chat_removed';
    }
  | {
      question: Question;
      type: 'question_changed';
    }
  | {
      /**
       * Which.
       */
      id: number;
      type: 'question_removed';
    }
  | {
      type: 'question_votes';
      /**
       * Those that have changed.
       */
      votes: QuestionVotes[];
    }
  | {
      /**
       * How, and how often since the last time.
       */
      sums: ReactionSum[];
      type: 'viewers_reacted';
    }
  | {
      /**
       * As it is now.
       */
      broadcast: BroadcastView | null;
      type: 'broadcast_changed';
    };
/**
 * What is wrong with a telephone's line, as it sounds.
 */
export type LineTrouble = 'music' | 'silent';
/**
 * What somebody may do.
 */
export type Role = 'host' | 'co_host' | 'member';
/**
 * [`Via`] without what is private in it.
 */
export type ViaKind = 'web' | 'phone' | 'encoder';
/**
 * How somebody went.
 */
export type LeaveReason = 'left' | 'removed' | 'lost';
/**
 * Why somebody waits at the door.
 */
export type WaitReason = 'host' | 'admission';
/**
 * What one participant is told alone.
 */
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
  | 'ends_in5'
  | 'door_closed'
  | 'no_room_on_air'
  | 'studio_failed'
  | 'recording_full'
  | 'recording_failed'
  | 'video_not_on_air'
  | 'some_video_not_on_air';
/**
 * What one participant is told and the others are not.
 */
export type Whisper =
  | {
      /**
       * In order of coming.
       */
      people: WaitingPerson[];
      type: 'waiting';
    }
  | {
      by: ParticipantId;
      /**
       * As he sent it.
       */
      drawing: string;
      /**
       * Grows by one with each drawing on this whiteboard.
       */
      number: number;
      type: 'drawn';
    }
  | {
      type: 'whiteboard_long';
      /**
       * All up to this number.
       */
      upto: number;
    }
  | {
      /**
       * In order of raising.
       */
      hands: ViewerHand[];
      type: 'viewer_hands';
    }
  | {
      message: Message;
      type: 'chat';
    };
/**
 * Why a participant's session ends.
 */
export type EndReason =
  'removed' | 'meeting_ended' | 'time_up' | 'left' | 'replaced' | 'server_stopping' | 'too_slow';

/**
 * What a livestream's viewers may do; hosts say so.
 */
export interface ViewersMay {
  /**
   * Write in its chat.
   */
  chat: boolean;
  /**
   * Raise their hands.
   */
  hands: boolean;
  /**
   * Ask, and vote for questions.
   */
  questions: boolean;
  /**
   * React.
   */
  reactions: boolean;
}
/**
 * One picture of the page.
 */
export interface ShownTile {
  /**
   * In pixels of the screen.
   */
  height: number;
  kind: TrackKind;
  participant: ParticipantId;
  /**
   * It matters more than who speaks.
   */
  pinned?: boolean;
  /**
   * In pixels of the screen.
   */
  width: number;
}
/**
 * A livestream as participants see it.
 */
export interface BroadcastView {
  id: BroadcastId;
  layout: Layout;
  /**
   * Where else it goes, in the order it was added.
   */
  pushes: PushView[];
  state: BroadcastState;
  /**
   * The meeting's watch page, from the server's root: the same for all its livestreams.
   */
  watch: string;
}
/**
 * A target as participants see it.
 */
export interface PushView {
  /**
   * Grows in this meeting.
   */
  id: number;
  /**
   * As who added it wrote it, or the masked address.
   */
  name: string;
  state: PushState;
  /**
   * Without its key.
   */
  url: string;
}
/**
 * What was said in writing (C21).
 */
export interface Message {
  /**
   * A host says it to all breakout rooms.
   */
  announced?: boolean;
  /**
   * When, milliseconds since 1970, UTC.
   */
  at_ms: number;
  /**
   * What was handed round.
   */
  file?: HandedFile | null;
  from: ParticipantId;
  /**
   * Grows in this meeting.
   */
  id: number;
  /**
   * It is of the livestream's chat, which its viewers read (B4): who of both sides said it.
   */
  livestream?: ChatSide | null;
  /**
   * As he was called then: he may have gone.
   */
  name: string;
  /**
   * The breakout room it was said in; none: the main room.
   */
  room?: number | null;
  /**
   * What; empty where it is a file.
   */
  text: string;
  /**
   * To whom; all where none is named.
   */
  to: ParticipantId | null;
}
/**
 * A file that was handed round in the chat (C21).
 */
export interface HandedFile {
  /**
   * Its size.
   */
  bytes: number;
  /**
   * Can't be guessed: who knows it may have the file.
   */
  id: string;
  /**
   * As who handed it round calls it.
   */
  name: string;
}
/**
 * A telephone a host has called, as participants see it.
 */
export interface DialView {
  /**
   * Grows in this meeting.
   */
  id: number;
  /**
   * As who called it wrote it, or the masked number.
   */
  name: string;
  /**
   * Masked.
   */
  number: string;
  state: DialState;
}
/**
 * As `RTCConfiguration.iceServers` has it.
 */
export interface IceServer {
  credential: string;
  urls: string[];
  username: string;
}
/**
 * A meeting as its participants see it.
 */
export interface MeetingView {
  /**
   * Breakout rooms that are open.
   */
  breakouts: number;
  /**
   * When they close by themselves, milliseconds since 1970, UTC.
   */
  breakouts_end_ms: number | null;
  /**
   * The most participants at once.
   */
  capacity: number;
  /**
   * Hosts may call telephones.
   */
  dial_out: boolean;
  /**
   * When it ends, milliseconds since 1970, UTC; none for one's own room.
   */
  ends_ms: number | null;
  /**
   * The host comes in with his camera on.
   */
  host_video: boolean;
  id: MeetingId;
  /**
   * It may have a livestream.
   */
  livestream: boolean;
  /**
   * Nobody else gets in.
   */
  locked: boolean;
  /**
   * Who comes in is muted.
   */
  mute_on_entry: boolean;
  number: MeetingNumber;
  /**
   * Participants come in with their cameras on.
   */
  participant_video: boolean;
  /**
   * What is seen and said is being recorded (C23): everyone is to know.
   */
  recording: boolean;
  /**
   * It may be extended and enlarged (C14).
   */
  scalable: boolean;
  /**
   * Members may unmute themselves.
   */
  self_unmute: boolean;
  /**
   * Only hosts share.
   */
  share_locked: boolean;
  /**
   * What somebody shows besides his screen (C20).
   */
  shown: ShownView | null;
  /**
   * Large for all.
   */
  spotlight: ParticipantId | null;
  /**
   * The topic.
   */
  title: string;
  viewers_may: ViewersMay;
  /**
   * Who comes waits to be admitted.
   */
  waiting_room: boolean;
}
/**
 * What is shown now, and by whom.
 */
export interface ShownView {
  by: ParticipantId;
  what: Shown;
}
export interface Numbered {
  event: Event;
  seq: number;
}
/**
 * One participant as all others see him.
 */
export interface Participant {
  /**
   * He asks a host to come to his breakout room (C17).
   */
  asks_help?: boolean;
  /**
   * His picture is at `/avatars/{avatar}`, where his account has one.
   */
  avatar?: string | null;
  /**
   * He shows his camera.
   */
  camera: boolean;
  /**
   * False while his network is gone and his seat is kept.
   */
  connected: boolean;
  /**
   * He watched the livestream until a host called him up (B4).
   */
  from_audience?: boolean;
  /**
   * His hand is up.
   */
  hand: boolean;
  id: ParticipantId;
  /**
   * What is wrong with his telephone's line.
   */
  line_trouble?: LineTrouble | null;
  /**
   * His sound counts for nobody.
   */
  muted: boolean;
  /**
   * As he or the host wrote it; a caller's masked number until then.
   */
  name: string;
  /**
   * His network is so poor that he, or those who hear and see him, will have noticed.
   */
  network_poor?: boolean;
  /**
   * A caller's masked number.
   */
  number: string | null;
  /**
   * A telephone on hold: he neither hears nor is heard.
   */
  on_hold?: boolean;
  role: Role;
  /**
   * The breakout room he is in, from 1; none: the main room.
   */
  room?: number | null;
  /**
   * He shares his screen.
   */
  screen: boolean;
  via: ViaKind;
  /**
   * His telephone sends pictures: it is a room system's (R1).
   */
  video?: boolean;
}
/**
 * A question to all (C17).
 */
export interface Poll {
  /**
   * What can be answered.
   */
  choices: Choice[];
  /**
   * Grows in this meeting.
   */
  id: number;
  /**
   * More than one may be chosen.
   */
  multiple: boolean;
  /**
   * Votes are taken.
   */
  open: boolean;
  /**
   * What is asked.
   */
  question: string;
  /**
   * The livestream's viewers vote too (B4).
   */
  viewers?: boolean;
  /**
   * Who has voted.
   */
  voters: number;
}
/**
 * An answer and how many gave it.
 */
export interface Choice {
  /**
   * The answer.
   */
  text: string;
  /**
   * Who gave it.
   */
  votes: number;
}
/**
 * Something a viewer asks.
 */
export interface Question {
  /**
   * A host has said that it is.
   */
  answered: boolean;
  /**
   * When, milliseconds since 1970, UTC.
   */
  at_ms: number;
  from: ParticipantId;
  /**
   * Grows in this meeting; no message of its chat has it.
   */
  id: number;
  /**
   * What he calls himself.
   */
  name: string;
  /**
   * What.
   */
  text: string;
  /**
   * Viewers who want it answered, who asks among them.
   */
  votes: number;
}
/**
 * How many want a question answered by now.
 */
export interface QuestionVotes {
  /**
   * Which.
   */
  id: number;
  /**
   * [`Question::votes`].
   */
  votes: number;
}
/**
 * Viewers who reacted alike.
 */
export interface ReactionSum {
  /**
   * How often.
   */
  count: number;
  reaction: Reaction;
}
/**
 * A viewer's raised hand, as hosts see it.
 */
export interface ViewerHand {
  /**
   * A host has called him up, and he has not come yet.
   */
  called?: boolean;
  /**
   * What he calls himself.
   */
  name: string;
  viewer: ParticipantId;
}
/**
 * Somebody at the door, as hosts see him.
 */
export interface WaitingPerson {
  id: ParticipantId;
  /**
   * As he wrote it, or a masked number.
   */
  name: string;
  via: ViaKind;
}
export interface ProblemView {
  code: string;
  /**
   * What exactly, in the reader's language.
   */
  detail?: string | null;
  /**
   * With `not_yet`: when one is let in, in milliseconds since 1970; for the owner and who has the password.
   */
  opens_ms?: number | null;
  title: string;
}
export interface SlotView {
  kind: TrackKind;
  mid: string;
  participant: ParticipantId | null;
  /**
   * Your line has no room for it: nothing comes until it has.
   */
  paused?: boolean;
}
