/**
 * The words of the client protocol under the names the sdk uses. What they are made of comes from the server's own schema
 * (`docs/reference/client-protocol.schema.json`); nothing here does anything but tell our messages from nonsense.
 */

import type * as wire from './protocol.generated';

/** A seat in a meeting; the same after coming back. */
export type ParticipantId = wire.ParticipantId;
export type Role = wire.Role;
export type Via = wire.ViaKind;
export type TrackKind = wire.TrackKind;
export type Participant = wire.Participant;
export type MeetingView = wire.MeetingView;
export type Broadcast = wire.BroadcastView;
/** Where a livestream goes as well. */
export type Push = wire.PushView;
/** A telephone a host has called. */
export type Dial = wire.DialView;
/** How the audience's picture is put together. */
export type BroadcastLayout = wire.Layout;
/** Somebody at the door, as hosts see him. */
export type WaitingPerson = wire.WaitingPerson;
/** What was said, to all or to one. */
export type ChatMessage = wire.Message;
export type HandedFile = wire.HandedFile;
/** What somebody shows besides his screen. */
export type ShownView = wire.ShownView;
export type Shown = wire.Shown;
export type Poll = wire.Poll;
/** What a viewer of the livestream asks. */
export type Question = wire.Question;
/** A viewer's raised hand. */
export type ViewerHand = wire.ViewerHand;
/** What viewers may do. */
export type ViewersMay = wire.ViewersMay;
/** Viewers who reacted alike. */
export type ReactionSum = wire.ReactionSum;
export type Command = wire.Action;
export type LeaveReason = wire.LeaveReason;
export type MeetingEvent = wire.Event;
/** What others are not told. */
export type Whisper = wire.Whisper;
/** What a receiving m-line carries now. */
export type Slot = wire.SlotView;
/** One picture of a page. */
export type ShownTile = wire.ShownTile;
export type Notice = wire.Notice;
/** What one waits for at the door. */
export type WaitReason = wire.WaitReason;
export type EndReason = wire.EndReason;
export type ProblemBody = wire.ProblemView;
export type ClientMessage = wire.ClientMessage;
export type ServerMessage = wire.ServerMessage;
export type Joined = Extract<ServerMessage, { type: 'joined' }>;

export const REACTIONS = [
  'clap',
  'like',
  'heart',
  'laugh',
  'surprise',
  'celebrate',
] as const satisfies wire.Reaction[];
export type Reaction = wire.Reaction;

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
  'told',
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
