import { backoff } from './backoff';
import { fromBase64 } from './base64';
import { Commands } from './commands';
import { MediaConnection } from './connection';
import { Freezes } from './freezes';
import { Problem } from './problem';
import type {
  Command,
  EndReason,
  Joined,
  MeetingEvent,
  MeetingView,
  Notice,
  Participant,
  ParticipantId,
  Role,
  ServerMessage,
  TrackKind,
  WaitReason,
  Whisper,
} from './protocol';
import { Publisher, type Source } from './publisher';
import { type Roster, applyEvent, isAnew, rosterOf, withMessage, withMuted } from './roster';
import { type Request, Signalling } from './signalling';
import { type MeetingStats, receivedStats, sentStats } from './stats';
import { type Received, Subscriber } from './subscriber';
import { Viewer } from './viewer';

/** Tries to come back end after so long: the seat is given away after a minute, a server is updated within two. */
const COME_BACK_MS_MAX = 120_000;

/** How long a goodbye may take before one simply goes. */
const GOODBYE_MS_MAX = 1_000;

/** How often whoever waits at the door asks whether it is still there: on a line that is cut he would wait for ever. */
const DOOR_PING_MS = 15_000;

/** Ends after which one wants to be back: the seat is kept, or a new server waits. */
const COME_BACK_AFTER: ReadonlySet<EndReason> = new Set(['server_stopping', 'too_slow']);

export interface JoinOptions {
  /** The meeting's id, as `Rest.meetingByNumber` gives it. */
  meeting: string;
  name: string;
  password?: string | undefined;
  /** The secret of an earlier seat, to have it again. */
  resume?: string | undefined;
  /** What to send from the beginning. */
  tracks?: Partial<Record<Source, MediaStreamTrack | null>>;
  /** Whether the camera is sent from the beginning, once it is known what the meeting has agreed on; else it never is. */
  sendsCamera?: (meeting: MeetingView, role: Role) => boolean;
  /** Come in muted: always, or where that depends on whether `resume` has given the seat one had. */
  muted?: boolean | ((you: ParticipantId) => boolean);
  /** Language of problems, as a BCP 47 tag. */
  language?: string;
  /** The server's origin where it isn't the page's. */
  server?: string;
  /** Hears that one waits at the door, and for what. */
  onWaiting?: (reason: WaitReason) => void;
  /** Hears what a host says to all who wait at the door. */
  onTold?: (text: string) => void;
  /** Gives up: one is not coming any more. */
  signal?: AbortSignal;
}

/** All there is to show. Never changed, only replaced: compare by identity. */
export interface MeetingState extends Roster {
  readonly phase: 'joined' | 'reconnecting' | 'ended';
  /** Whether media flows: what one sends, what one receives. */
  readonly sending: boolean;
  readonly receiving: boolean;
  readonly speaking: readonly ParticipantId[];
  /** Who is shown large. */
  readonly active: ParticipantId | null;
  readonly received: readonly Received[];
}

/** Why one is no longer in the meeting. */
export type Ended = { reason: EndReason } | { reason: 'refused' | 'unreachable'; problem: Problem };

export interface MeetingEvents {
  /** `state` is another. */
  change: MeetingState;
  notice: Notice;
  /** Came back to a meeting that has begun anew: messages and polls are counted from the beginning. */
  anew: undefined;
  /** What one showed before one was lost may be shown no more, and isn't sent. */
  notShown: { source: 'camera' | 'screen'; problem: Problem };
  /** What all were told; `state` has it already. */
  event: MeetingEvent;
  /** Somebody else draws on the whiteboard one sees. */
  drawn: Drawn;
  /** The whiteboard is long: `Rest.rewriteWhiteboard` up to this number is welcome. */
  whiteboardLong: number;
  ended: Ended;
}

/** A change of the whiteboard: an update of Yjs. */
export interface Drawn {
  by: ParticipantId;
  number: number;
  update: Uint8Array<ArrayBuffer>;
}

/** One participant's part in a meeting: comes back by itself when the network does. */
export class Meeting extends Commands<MeetingEvents> {
  readonly #options: JoinOptions;
  readonly #publisher = new Publisher();
  readonly #subscriber = new Subscriber();
  readonly #publishing: MediaConnection;
  readonly #subscribing: MediaConnection;
  readonly #viewer = new Viewer(tiles => this.#signalling?.send({ type: 'show', tiles }));
  #signalling: Signalling | null = null;
  readonly #freezes = new Freezes();
  /** What of one's own voice was asked by `toggleMuted` last, until it is told to all. */
  #asked: { muted: boolean; isDone: boolean } | null = null;
  #resume: string | undefined;
  #state!: MeetingState;
  #wake: (() => void) | null = null;
  #welcome: ((joined: Joined) => void) | null = null;
  #rejection: ((problem: Problem) => void) | null = null;
  #iceServers: RTCIceServer[] = [];
  #atDoor: ((reason: WaitReason) => void) | null = null;
  /** Has waited at the door, and since then tried so often to be there again. */
  #knocked: number | null = null;

  /** Comes in, or says why not by a {@link Problem}. */
  static async join(options: JoinOptions): Promise<Meeting> {
    const meeting = new Meeting(options);
    const joined = await meeting.#knock();
    const role = joined.participants.find(({ id }) => id === joined.you)?.role ?? 'member';
    if (options.sendsCamera?.(joined.meeting, role) === false) {
      await meeting.#publisher.replace('camera', null);
    }
    const { muted = false } = options;
    meeting.#sitDown(joined, typeof muted === 'boolean' ? muted : muted(joined.you));
    return meeting;
  }

  private constructor(options: JoinOptions) {
    super();
    this.#options = options;
    this.#resume = options.resume;
    for (const [source, track] of Object.entries(options.tracks ?? {})) {
      void this.#publisher.replace(source as Source, track);
    }
    // Before one is seated again nothing can be offered, and from then on all is.
    const ask = (request: Request) =>
      this.#state.phase === 'joined' && this.#signalling
        ? this.#signalling.request(request)
        : Promise.reject(Problem.local('offline'));
    const offer = (type: 'publish' | 'subscribe') => (sdp: string, restart: boolean) =>
      ask({ type, sdp, ...(restart && { restart }) });
    const alive = () => ask({ type: 'ping' });
    const unanswered = () => this.#signalling?.close();
    const iceServers = () => this.#iceServers;
    this.#publishing = new MediaConnection({
      iceServers,
      build: peer => this.#publisher.build(peer),
      suit: answer => this.#publisher.suit(answer),
      offer: offer('publish'),
      connected: sending => this.#set({ sending }),
      alive,
      unanswered,
    });
    this.#subscribing = new MediaConnection({
      iceServers,
      build: peer => this.#subscriber.build(peer),
      offer: offer('subscribe'),
      connected: receiving => this.#set({ receiving }),
      alive,
      unanswered,
    });
  }

  get state(): MeetingState {
    return this.#state;
  }

  get you(): ParticipantId {
    return this.#state.you;
  }

  /** Oneself as the others see one. */
  get me(): Participant | undefined {
    return this.participant(this.you);
  }

  /** The secret to have the same seat again after a crash: keep it where only this tab reads it. */
  get resume(): string | undefined {
    return this.#resume;
  }

  participant(id: ParticipantId): Participant | undefined {
    return this.#state.participants.find(participant => participant.id === id);
  }

  /** Somebody's sound or picture while it is received. */
  stream(participant: ParticipantId, kind: TrackKind): MediaStream | null {
    return this.#subscriber.stream(participant, kind);
  }

  /** Somebody's picture stands still until one's line has room for it again. */
  isPaused(participant: ParticipantId, kind: TrackKind): boolean {
    return this.#subscriber.isPaused(participant, kind);
  }

  /**
   * This element shows somebody's camera or screen, until the returned function is called: what no element shows is not
   * received, and what is shown small is received small. Without any call all is received that there are slots for.
   */
  shows(element: Element, participant: ParticipantId, kind: TrackKind, pinned = false): () => void {
    return this.#viewer.watch(element, participant, kind, pinned);
  }

  /** What is sent now. */
  track(source: Source): MediaStreamTrack | null {
    return this.#publisher.track(source);
  }

  /**
   * Sends this microphone, or none; a track whose `contentHint` is `music` as such: soft passages of it too, and with
   * more bits. Whether it is heard is `mute`'s and the host's.
   */
  async setMicrophone(track: MediaStreamTrack | null): Promise<void> {
    if (track) track.enabled = this.me?.muted === false && !this.muted;
    if (!(await this.#publisher.replace('microphone', track))) await this.#publishing.suit();
  }

  /** Shows this camera, or none. */
  async setCamera(track: MediaStreamTrack | null): Promise<void> {
    await this.#publisher.replace('camera', track);
    await this.#tellShown('camera');
  }

  /** Shares this screen, or none. */
  async setScreen(track: MediaStreamTrack | null): Promise<void> {
    await this.#publisher.replace('screen', track);
    await this.#tellShown('screen');
  }

  /** Whether one is muted, or will be by what was asked last and is not answered yet. */
  get muted(): boolean {
    return this.#asked?.muted ?? this.me?.muted ?? true;
  }

  /**
   * Mutes oneself or unmutes, whichever one was not asked for last: who presses twice within one round trip is as he was.
   * Unmuted is only who can be heard. What has been asked for.
   */
  async toggleMuted(
    canBeHeard: () => Promise<boolean> = () => Promise.resolve(true),
  ): Promise<{ muted: boolean } | null> {
    const asked = { muted: !this.muted, isDone: false };
    this.#asked = asked;
    try {
      if (!asked.muted && !(await canBeHeard())) return null;
      // Another press has come meanwhile.
      if (this.#asked !== asked) return null;
      await (asked.muted ? this.mute() : this.unmute());
      asked.isDone = true;
      return asked;
    } finally {
      // What is done is told to all a moment after.
      if (this.#asked === asked && !(asked.isDone && this.me?.muted !== asked.muted)) this.#asked = null;
    }
  }

  /** Mutes somebody; oneself if nobody is named: then nothing is sent any more, even where the server can't be told now. */
  async mute(participant: ParticipantId = this.you): Promise<void> {
    const isOwn = participant === this.you;
    if (isOwn) this.#replace({ ...this.#state, ...withMuted(this.#state) });
    try {
      await this.command({ type: 'mute', participant });
    } catch (thrown) {
      // Coming back tells it again.
      if (isOwn && Problem.from(thrown).code === 'timeout') this.reconnect();
      throw thrown;
    }
  }

  /** Unmutes oneself, opens a telephone, asks a browser. */
  unmute(participant: ParticipantId = this.you): Promise<void> {
    return this.command({ type: 'unmute', participant });
  }

  /** Gives the seat up. */
  leave(): Promise<void> {
    return this.#goodbye({ type: 'leave' });
  }

  /** The page is being closed, or loaded anew: the seat is kept for fifteen seconds for whoever has `resume`. */
  away(): void {
    this.command({ type: 'away' }).catch(() => undefined);
  }

  /** Ends the meeting for all. */
  async end(): Promise<void> {
    await this.command({ type: 'end' });
    this.#finish({ reason: 'meeting_ended' });
  }

  /** Carries a command out, or rejects with a {@link Problem}. */
  async command(command: Command): Promise<void> {
    if (!this.#signalling) throw Problem.local('offline');
    await this.#signalling.request({ type: 'command', command });
  }

  /** Drops the connection and comes back, as after a lost network. */
  reconnect(): void {
    if (this.#signalling) this.#signalling.close();
    else this.#wake?.();
  }

  async getStats(): Promise<MeetingStats> {
    const [publish, subscribe] = await Promise.all([
      sentStats(this.#publishing.peer),
      receivedStats(this.#subscribing.peer, this.#subscriber.received),
    ]);
    return { publish, subscribe };
  }

  /** Tells the server how often received pictures stood still, where that has changed. */
  tellFreezes({ subscribe }: MeetingStats): void {
    const seen = this.#freezes.count(subscribe.slots);
    if (seen && this.#state.phase === 'joined') this.#signalling?.send({ type: 'freezes', ...seen });
  }

  async #goodbye(command: Command): Promise<void> {
    const patience = new Promise<void>(resolve => setTimeout(resolve, GOODBYE_MS_MAX));
    await Promise.race([this.command(command).catch(() => undefined), patience]);
    this.#finish({ reason: 'left' });
  }

  /** Comes in. Whoever waits at the door when it is lost knocks again, for as long as he is willing to. */
  async #knock(): Promise<Joined> {
    const { signal } = this.#options;
    const hurry = () => this.#wake?.();
    globalThis.addEventListener('online', hurry);
    signal?.addEventListener('abort', hurry);
    try {
      for (;;) {
        try {
          return await this.#connect();
        } catch (thrown) {
          if (this.#knocked === null || !Problem.from(thrown).isPassing) throw thrown;
        }
        await this.#pause(backoff(this.#knocked++));
        if (signal?.aborted) throw Problem.local('offline');
      }
    } finally {
      globalThis.removeEventListener('online', hurry);
      signal?.removeEventListener('abort', hurry);
    }
  }

  /** Opens the WebSocket and asks for the seat. */
  async #connect(): Promise<Joined> {
    const { meeting, password, language, server = location.origin } = this.#options;
    const isBack = this.#hasState();
    // He may have another name by now; another seat is to have it too.
    const name = (isBack ? this.me?.name : null) ?? this.#options.name;
    // Whoever is in leaves by other means.
    const signal = isBack ? undefined : this.#options.signal;
    const url = new URL(`/api/v1/meetings/${encodeURIComponent(meeting)}/session`, server);
    url.protocol = url.protocol.replace('http', 'ws');
    if (language) url.searchParams.set('lang', language);
    const welcomed = new Promise<Joined>((resolve, reject) => {
      this.#welcome = resolve;
      this.#rejection = reject;
    });
    // Whoever awaits it is further down; until then its rejection is no stray one.
    welcomed.catch(() => undefined);
    const signalling = await Signalling.open(url.href, {
      message: message => this.#receive(message),
      closed: () => this.#lose(),
    });
    this.#signalling = signalling;
    const resume = this.#resume;
    signalling.send({ type: 'join', name, ...(password && { password }), ...(resume && { resume }) });
    const timer = setTimeout(() => this.#rejection?.(Problem.local('timeout')), 8_000);
    let pings: ReturnType<typeof setInterval> | undefined;
    const ping = () =>
      signalling.request({ type: 'ping' }).catch((thrown: unknown) => {
        if (Problem.from(thrown).code === 'timeout') this.#rejection?.(Problem.local('unreachable'));
      });
    this.#atDoor = reason => {
      // Whoever opens the door may take his time.
      clearTimeout(timer);
      pings ??= setInterval(() => void ping(), DOOR_PING_MS);
      this.#knocked = 0;
      this.#options.onWaiting?.(reason);
    };
    const giveUp = () => this.#rejection?.(Problem.local('offline'));
    signal?.addEventListener('abort', giveUp);
    if (signal?.aborted) giveUp();
    try {
      return await welcomed;
    } catch (thrown) {
      this.#signalling = null;
      signalling.close();
      throw thrown;
    } finally {
      clearTimeout(timer);
      clearInterval(pings);
      signal?.removeEventListener('abort', giveUp);
      this.#welcome = this.#rejection = this.#atDoor = null;
    }
  }

  #sitDown(joined: Joined, wantsMuted: boolean): void {
    const before = this.#hasState() ? this.#state : null;
    this.#asked = null;
    this.#resume = joined.resume;
    this.#iceServers = joined.ice_servers;
    this.#subscriber.clear();
    const quiet = { sending: false, receiving: false, speaking: [], active: null, received: [] };
    const roster = rosterOf(joined);
    const mutes = wantsMuted && roster.participants.some(({ id, muted }) => id === joined.you && !muted);
    // The server hears of it before it is offered any sound.
    if (mutes) {
      this.command({ type: 'mute', participant: joined.you }).catch((thrown: unknown) => {
        if (Problem.from(thrown).code === 'timeout') this.reconnect();
      });
    }
    this.#replace({ ...(mutes ? withMuted(roster) : roster), ...quiet, phase: 'joined' });
    if (before && isAnew(before, roster)) this.emit('anew', undefined);
    this.#viewer.again();
    void this.#publishing.start();
    void this.#subscribing.start();
    for (const source of ['camera', 'screen'] as const) {
      if ((this.#publisher.track(source) !== null) === this.me?.[source]) continue;
      this.#tellShown(source).catch((thrown: unknown) => {
        const problem = Problem.from(thrown);
        if (!problem.isPassing) this.emit('notShown', { source, problem });
      });
    }
  }

  /** Tells all whether one shows it. What they may not see is not sent either; what they can't be told now they are later. */
  async #tellShown(source: 'camera' | 'screen'): Promise<void> {
    try {
      await this.command({ type: source, on: this.#publisher.track(source) !== null });
    } catch (thrown) {
      if (!Problem.from(thrown).isPassing) await this.#publisher.replace(source, null);
      throw thrown;
    }
  }

  #receive(message: ServerMessage): void {
    switch (message.type) {
      case 'joined':
        this.#welcome?.(message);
        break;
      case 'refused':
        this.#rejection?.(new Problem(message.problem));
        break;
      case 'event': {
        const roster = applyEvent(this.#state, message.seq, message.event);
        if (!roster) return this.reconnect();
        this.#replace({ ...this.#state, ...roster });
        this.emit('event', message.event);
        break;
      }
      case 'slots':
        this.#subscriber.assign(message.slots);
        this.#set({ received: this.#subscriber.received });
        break;
      case 'speaking':
        this.#set({ speaking: message.participants, active: message.active });
        break;
      case 'notice':
        this.emit('notice', message.notice);
        break;
      case 'waiting':
        this.#atDoor?.(message.reason);
        break;
      case 'told':
        this.#options.onTold?.(message.text);
        break;
      case 'whisper':
        this.#listen(message.whisper);
        break;
      case 'ended':
        if (COME_BACK_AFTER.has(message.reason)) this.reconnect();
        else this.#finish({ reason: message.reason });
    }
  }

  #listen(whisper: Whisper): void {
    switch (whisper.type) {
      case 'waiting':
        return this.#set({ waiting: whisper.people });
      case 'viewer_hands':
        return this.#set({ viewerHands: whisper.hands });
      case 'chat':
        return this.#set({ chat: withMessage(this.#state.chat, whisper.message) });
      case 'drawn': {
        const { by, number, drawing } = whisper;
        const update = fromBase64(drawing);
        if (update) this.emit('drawn', { by, number, update });
        return;
      }
      case 'whiteboard_long':
        return this.emit('whiteboardLong', whisper.upto);
    }
  }

  /** The words' connection is gone; the pictures' goes on until it is replaced or gives up. */
  #lose(): void {
    // Whoever is coming in deals with it himself.
    if (this.#rejection) return this.#rejection(Problem.local('unreachable'));
    if (!this.#signalling) return;
    this.#signalling = null;
    if (this.#state.phase === 'joined') void this.#comeBack();
  }

  async #comeBack(): Promise<void> {
    this.#set({ phase: 'reconnecting' });
    const began = Date.now();
    const hurry = () => this.#wake?.();
    globalThis.addEventListener('online', hurry);
    try {
      for (let attempt = 0; Date.now() - began < COME_BACK_MS_MAX; attempt++) {
        await this.#pause(backoff(attempt));
        if (this.#isOver()) return;
        try {
          const joined = await this.#connect();
          if (this.#isOver()) return this.#signalling?.close();
          // A seat that is new is not muted: whoever was, is again before anything is heard of him.
          return this.#sitDown(joined, this.me?.muted === true);
        } catch (thrown) {
          const problem = Problem.from(thrown);
          if (!problem.isPassing) return this.#finish({ reason: 'refused', problem });
        }
      }
      this.#finish({ reason: 'unreachable', problem: Problem.local('unreachable') });
    } finally {
      globalThis.removeEventListener('online', hurry);
    }
  }

  #isOver(): boolean {
    return this.#state.phase === 'ended';
  }

  async #pause(wait: number): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    await new Promise<void>(resolve => {
      this.#wake = resolve;
      timer = setTimeout(resolve, wait);
    });
    this.#wake = null;
    clearTimeout(timer);
  }

  #finish(ended: Ended): void {
    if (this.#isOver()) return;
    this.#set({ phase: 'ended' });
    this.#publishing.close();
    this.#publisher.detach();
    this.#subscribing.close();
    this.#viewer.close();
    const signalling = this.#signalling;
    this.#signalling = null;
    signalling?.close();
    this.#wake?.();
    this.emit('ended', ended);
  }

  /** Whether one has been in. */
  #hasState(): boolean {
    return (this.#state as MeetingState | undefined) !== undefined;
  }

  #set(changes: Partial<MeetingState>): void {
    if (this.#hasState()) this.#replace({ ...this.#state, ...changes });
  }

  #replace(state: MeetingState): void {
    this.#state = state;
    const microphone = this.#publisher.track('microphone');
    if (this.#asked?.isDone && this.#asked.muted === this.me?.muted) this.#asked = null;
    // Whoever is muted by the host must not be sending either, whatever the page shows; nor who has asked for it.
    if (microphone) microphone.enabled = this.me?.muted === false && !this.muted;
    this.emit('change', state);
  }
}
