/**
 * The client of Huitong meetings for browsers: REST, the meeting itself, its media. Without any framework.
 *
 * `Rest` finds a meeting, `Meeting.join` comes into it; from there on `meeting.state` and its `change` event say what
 * to show, and its methods do what can be done.
 */
export { MeetingFrame } from './frame';
export type { FrameCommand, FrameEvents, FrameOptions, FrameState } from './frame';
export { Meeting } from './meeting';
export type { Drawn, Ended, JoinOptions, MeetingEvents, MeetingState } from './meeting';
export { Problem } from './problem';
export { REACTIONS } from './protocol';
export type {
  Broadcast,
  BroadcastLayout,
  Dial,
  Push,
  ChatMessage,
  HandedFile,
  Command,
  EndReason,
  LeaveReason,
  MeetingEvent,
  MeetingView,
  Notice,
  Participant,
  ParticipantId,
  Poll,
  Question,
  Reaction,
  ReactionSum,
  Role,
  Shown,
  ShownView,
  Slot,
  TrackKind,
  Via,
  ViewerHand,
  ViewersMay,
  WaitReason,
  WaitingPerson,
} from './protocol';
export type { Source } from './publisher';
export { Rest } from './rest';
export type {
  Account,
  AccountChange,
  CallInfo,
  EncoderToken,
  NewEncoderToken,
  CallingPolicy,
  CallingView,
  PromptInfo,
  Site,
  BookingBody,
  Bookmark,
  BookingMode,
  BroadcastInfo,
  Capacity,
  Door,
  FreeSlot,
  HeldTime,
  Info,
  MeetingOptions,
  OccurrenceBody,
  OwnMeeting,
  Piece,
  RecordingInfo,
  Reminder,
  Registrant,
  WatchAccess,
  WatchSettings,
  Whiteboard,
} from './rest';
export type { ConnectionStats, MeetingStats, ReceivedStats, SentStats } from './stats';
export type { Received } from './subscriber';
