import type {
  Broadcast,
  ChatMessage,
  Dial,
  Joined,
  MeetingEvent,
  MeetingView,
  Participant,
  ParticipantId,
  Poll,
  Question,
  ViewerHand,
  WaitingPerson,
} from './protocol';

/** What all in a meeting know, after event `seq`. Never changed, only replaced. */
export interface Roster {
  readonly you: ParticipantId;
  readonly seq: number;
  readonly meeting: MeetingView;
  /** In order of coming. */
  readonly participants: readonly Participant[];
  /** What was said to all and to oneself, the oldest first. */
  readonly chat: readonly ChatMessage[];
  readonly polls: readonly Poll[];
  /** What viewers of the livestream ask. */
  readonly questions: readonly Question[];
  /** Viewers whose hands are up; hosts alone know. */
  readonly viewerHands: readonly ViewerHand[];
  /** At the door; hosts alone know. */
  readonly waiting: readonly WaitingPerson[];
  /** Telephones that were called, the newest last. */
  readonly dials: readonly Dial[];
  readonly broadcast: Broadcast | null;
}

/** The state one comes into. */
export function rosterOf(joined: Joined): Roster {
  const { you, seq, meeting, participants, chat, polls, questions, waiting, dials, broadcast } = joined;
  const viewerHands = joined.viewer_hands;
  return { you, seq, meeting, participants, chat, polls, questions, viewerHands, waiting, dials, broadcast };
}

/** One is muted, though the server has only been told. */
export function withMuted(roster: Roster): Roster {
  const { you, participants } = roster;
  return {
    ...roster,
    participants: participants.map(one => (one.id === you ? { ...one, muted: true } : one)),
  };
}

/** Nobody that one knew is there, not even oneself: the meeting has begun anew. */
export function isAnew(before: Roster, now: Roster): boolean {
  const known = new Set(before.participants.map(({ id }) => id));
  return now.participants.every(({ id }) => !known.has(id));
}

/**
 * The roster after an event. Events already in it change nothing; `null` means that one is missing between, so that
 * the whole must be asked for again.
 */
export function applyEvent(roster: Roster, seq: number, event: MeetingEvent): Roster | null {
  if (seq <= roster.seq) return roster;
  if (seq !== roster.seq + 1) return null;
  return { ...roster, ...changes(roster, event), seq };
}

/** As many as the server shows who comes later. */
const DIALS_MAX = 20;

/** In the place of what has its id, or at the end. */
function withOne<Item extends { id: number }>(all: readonly Item[], one: Item): readonly Item[] {
  const known = all.some(({ id }) => id === one.id);
  return known ? all.map(other => (other.id === one.id ? one : other)) : [...all, one];
}

/** More than the server keeps for the meeting nobody scrolls back to. */
const CHAT_MAX = 1_000;

/** Private messages and public ones come by two ways: each once, in the order of their numbers. */
export function withMessage(chat: readonly ChatMessage[], message: ChatMessage): readonly ChatMessage[] {
  if (chat.some(({ id }) => id === message.id)) return chat;
  return [...chat, message].sort((a, b) => a.id - b.id).slice(-CHAT_MAX);
}

function changes(roster: Roster, event: MeetingEvent): Partial<Roster> {
  switch (event.type) {
    case 'participant_joined':
    case 'participant_changed': {
      const { participant } = event;
      const known = roster.participants.some(({ id }) => id === participant.id);
      const participants = known
        ? roster.participants.map(other => (other.id === participant.id ? participant : other))
        : [...roster.participants, participant];
      return { participants };
    }
    case 'participant_left':
      return { participants: roster.participants.filter(({ id }) => id !== event.id) };
    case 'meeting_changed':
      return { meeting: event.meeting };
    case 'chat':
      return { chat: withMessage(roster.chat, event.message) };
    case 'chat_removed':
      return { chat: roster.chat.filter(({ id }) => id !== event.id) };
    case 'question_changed':
      return { questions: withOne(roster.questions, event.question) };
    case 'question_removed':
      return { questions: roster.questions.filter(({ id }) => id !== event.id) };
    case 'question_votes': {
      const votes = new Map(event.votes.map(({ id, votes }) => [id, votes]));
      const counted = (one: Question) => ({ ...one, votes: votes.get(one.id) ?? one.votes });
      return { questions: roster.questions.map(counted) };
    }
    case 'poll_changed':
      return { polls: withOne(roster.polls, event.poll) };
    case 'dial_changed':
      return { dials: withOne(roster.dials, event.dial).slice(-DIALS_MAX) };
    case 'broadcast_changed':
      return { broadcast: event.broadcast };
    default:
      // A newer server's event: its number counts, its content is beyond us.
      return {};
  }
}
