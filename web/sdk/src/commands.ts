import { toBase64 } from './base64';
import { Emitter } from './emitter';
import type { BroadcastLayout, Command, ParticipantId, Reaction, ViewersMay } from './protocol';

/** What can be done in a meeting, each in the client protocol's words. Who may, the server knows. */
export abstract class Commands<Events> extends Emitter<Events> {
  /** Carries a command out, or rejects with a {@link Problem}. */
  abstract command(command: Command): Promise<void>;

  muteAll(selfUnmute: boolean): Promise<void> {
    return this.command({ type: 'mute_all', self_unmute: selfUnmute });
  }

  unmuteAll(): Promise<void> {
    return this.command({ type: 'unmute_all' });
  }

  /** Lets members unmute themselves, or not. */
  allowSelfUnmute(on: boolean): Promise<void> {
    return this.command({ type: 'allow_self_unmute', on });
  }

  remove(participant: ParticipantId): Promise<void> {
    return this.command({ type: 'remove', participant });
  }

  rename(participant: ParticipantId, name: string): Promise<void> {
    return this.command({ type: 'rename', participant, name });
  }

  makeHost(participant: ParticipantId): Promise<void> {
    return this.command({ type: 'make_host', participant });
  }

  makeCoHost(participant: ParticipantId, on: boolean): Promise<void> {
    return this.command({ type: 'make_co_host', participant, on });
  }

  /** Stops somebody's camera. */
  stopCamera(participant: ParticipantId): Promise<void> {
    return this.command({ type: 'stop_camera', participant });
  }

  /** Stops what somebody shares of his screen. */
  stopScreen(participant: ParticipantId): Promise<void> {
    return this.command({ type: 'stop_screen', participant });
  }

  /** Asks somebody to show himself. */
  askCamera(participant: ParticipantId): Promise<void> {
    return this.command({ type: 'ask_camera', participant });
  }

  /** Opens the door to somebody who waits. */
  admit(participant: ParticipantId): Promise<void> {
    return this.command({ type: 'admit', participant });
  }

  /** Keeps the door shut. */
  deny(participant: ParticipantId): Promise<void> {
    return this.command({ type: 'deny', participant });
  }

  /** Something to read for all who wait at the door. */
  tellWaiting(text: string): Promise<void> {
    return this.command({ type: 'tell_waiting', text });
  }

  admitAll(): Promise<void> {
    return this.command({ type: 'admit_all' });
  }

  /** Lets only hosts share. */
  lockShare(on: boolean): Promise<void> {
    return this.command({ type: 'lock_share', on });
  }

  /** Whoever comes waits to be admitted. */
  waitingRoom(on: boolean): Promise<void> {
    return this.command({ type: 'waiting_room', on });
  }

  /** Whoever comes is muted. */
  muteOnEntry(on: boolean): Promise<void> {
    return this.command({ type: 'mute_on_entry', on });
  }

  /** Says something to all, or to one alone. */
  say(text: string, to: ParticipantId | null = null): Promise<void> {
    return this.command({ type: 'chat', to, text });
  }

  /** Says something to who watches the livestream, and to all; hosts. */
  tellViewers(text: string): Promise<void> {
    return this.command({ type: 'tell_viewers', text });
  }

  /** Takes back what somebody said to all; hosts. */
  removeChat(message: number): Promise<void> {
    return this.command({ type: 'remove_chat', message });
  }

  /** What viewers of the livestream may do; hosts. */
  allowViewers(may: ViewersMay): Promise<void> {
    return this.command({ type: 'allow_viewers', may });
  }

  /** A viewer's question is answered, or not yet; hosts. */
  answerQuestion(question: number, answered: boolean): Promise<void> {
    return this.command({ type: 'answer_question', question, answered });
  }

  /** Takes a viewer's question away; hosts. */
  removeQuestion(question: number): Promise<void> {
    return this.command({ type: 'remove_question', question });
  }

  /** Lets a viewer whose hand is up come into the meeting; hosts. */
  callUp(viewer: ParticipantId): Promise<void> {
    return this.command({ type: 'call_up', viewer });
  }

  /** Makes somebody who was called up a viewer again; hosts. */
  sendBack(participant: ParticipantId): Promise<void> {
    return this.command({ type: 'send_back', participant });
  }

  /** Takes a viewer's hand down; hosts. */
  lowerViewerHand(viewer: ParticipantId): Promise<void> {
    return this.command({ type: 'lower_viewer_hand', viewer });
  }

  react(reaction: Reaction): Promise<void> {
    return this.command({ type: 'react', reaction });
  }

  /** Shows somebody large to all; null: whoever speaks. */
  spotlight(participant: ParticipantId | null): Promise<void> {
    return this.command({ type: 'spotlight', participant });
  }

  /** Asks all; `viewers`: who watches the livestream too. */
  startPoll(question: string, choices: string[], multiple: boolean, viewers = false): Promise<void> {
    return this.command({ type: 'start_poll', question, choices, multiple, viewers });
  }

  closePoll(poll: number): Promise<void> {
    return this.command({ type: 'close_poll', poll });
  }

  /** Votes; again takes the place of the earlier vote. */
  vote(poll: number, choices: number[]): Promise<void> {
    return this.command({ type: 'vote', poll, choices });
  }

  /** Makes so many breakout rooms (分组讨论), and spreads the members over them. */
  openBreakouts(rooms: number, spread: boolean): Promise<void> {
    return this.command({ type: 'open_breakouts', rooms, spread });
  }

  /** Everybody back to the main room. */
  closeBreakouts(): Promise<void> {
    return this.command({ type: 'close_breakouts' });
  }

  /** The breakout rooms close by themselves after so many minutes, or stay open (null). */
  timeBreakouts(minutes: number | null): Promise<void> {
    return this.command({ type: 'time_breakouts', minutes });
  }

  /** Something to read for everybody, whichever breakout room he is in. */
  tellRooms(text: string): Promise<void> {
    return this.command({ type: 'tell_rooms', text });
  }

  /** Asks a host to come to one's breakout room, or no longer does. */
  askHelp(on: boolean): Promise<void> {
    return this.command({ type: 'ask_help', on });
  }

  /** Into a breakout room, or back to the main one (null). */
  moveTo(participant: ParticipantId, room: number | null): Promise<void> {
    return this.command({ type: 'move_to', participant, room });
  }

  /** Lets the meeting last longer, by half hours (延时). */
  extend(minutes: number): Promise<void> {
    return this.command({ type: 'extend', minutes });
  }

  /** Makes room for more participants (扩容). */
  enlarge(by: number): Promise<void> {
    return this.command({ type: 'enlarge', by });
  }

  /** Lowers somebody's hand. */
  lowerHand(participant: ParticipantId): Promise<void> {
    return this.command({ type: 'lower_hand', participant });
  }

  /** Lowers every hand. */
  lowerHands(): Promise<void> {
    return this.command({ type: 'lower_hands' });
  }

  raiseHand(up: boolean): Promise<void> {
    return this.command({ type: 'hand', up });
  }

  lock(on: boolean): Promise<void> {
    return this.command({ type: 'lock', on });
  }

  /** Calls a telephone (会中邀请); `state.dials` tells what becomes of it. */
  dial(number: string, name: string | null = null): Promise<void> {
    return this.command({ type: 'dial', number, name });
  }

  /** Calls somebody again who didn't come, at the same number. */
  redial(dial: number): Promise<void> {
    return this.command({ type: 'redial', dial });
  }

  /** Calls it no longer. */
  stopDial(dial: number): Promise<void> {
    return this.command({ type: 'stop_dial', dial });
  }

  startBroadcast(): Promise<void> {
    return this.command({ type: 'start_broadcast' });
  }

  stopBroadcast(): Promise<void> {
    return this.command({ type: 'stop_broadcast' });
  }

  /** Sends the livestream to an RTMP, RTMPS or SRT address as well; `state.broadcast.pushes` tells how it does. */
  startPush(url: string, name: string | null = null): Promise<void> {
    return this.command({ type: 'start_push', url, name });
  }

  stopPush(push: number): Promise<void> {
    return this.command({ type: 'stop_push', push });
  }

  startRecording(): Promise<void> {
    return this.command({ type: 'start_recording' });
  }

  stopRecording(): Promise<void> {
    return this.command({ type: 'stop_recording' });
  }

  /** Puts the livestream's picture together in another way. */
  layout(layout: BroadcastLayout): Promise<void> {
    return this.command({ type: 'layout', layout });
  }

  /** Shows the meeting's whiteboard to all (白板). */
  showWhiteboard(): Promise<void> {
    return this.command({ type: 'show_whiteboard' });
  }

  /** Shows a page of the web to all (网页). */
  showPage(url: string, name: string | null = null): Promise<void> {
    return this.command({ type: 'show_page', url, name });
  }

  /** Turns the document that is shown to a page, from 1, for all. */
  turnTo(page: number): Promise<void> {
    return this.command({ type: 'turn_to', page });
  }

  /** Shows no longer what is shown: whiteboard, picture, document, page. */
  stopShowing(): Promise<void> {
    return this.command({ type: 'stop_showing' });
  }

  /** Draws on the whiteboard that is shown: an update of Yjs, 24 KB at most. */
  draw(update: Uint8Array): Promise<void> {
    return this.command({ type: 'draw', drawing: toBase64(update) });
  }
}
