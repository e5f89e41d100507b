import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Ended, type JoinOptions, Meeting } from './meeting';
import { Problem } from './problem';
import type { ClientMessage, Notice, Participant, ServerMessage } from './protocol';

/** The server's end of a WebSocket, in the test's hands. */
class FakeSocket {
  static readonly OPEN = 1;
  static all: FakeSocket[] = [];
  /** False: nobody answers. */
  static reachable = true;
  static get last(): FakeSocket {
    const last = FakeSocket.all.at(-1);
    if (!last) throw new Error('nobody has connected');
    return last;
  }

  readyState = 0;
  onopen: (() => void) | null = null;
  onclose: (() => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  readonly sent: ClientMessage[] = [];

  constructor(readonly url: string) {
    FakeSocket.all.push(this);
    queueMicrotask(() => {
      if (!FakeSocket.reachable) return this.drop();
      this.readyState = 1;
      this.onopen?.();
    });
  }

  send(text: string): void {
    const message = JSON.parse(text) as ClientMessage;
    this.sent.push(message);
    if (message.type === 'publish' || message.type === 'subscribe') {
      if (FakePeer.answered)
        queueMicrotask(() => this.say({ type: 'answer', id: message.id, sdp: 'answer' }));
    } else if (message.type === 'command' || (message.type === 'ping' && FakePeer.answered)) {
      queueMicrotask(() => this.say({ type: 'done', id: message.id }));
    }
  }

  say(message: ServerMessage): void {
    this.onmessage?.({ data: JSON.stringify(message) });
  }

  close(): void {
    this.readyState = 3;
  }

  /** The network is gone. */
  drop(): void {
    this.readyState = 3;
    this.onclose?.();
  }

  commands(): string[] {
    return this.sent.flatMap(message => (message.type === 'command' ? [message.command.type] : []));
  }
}

class FakePeer {
  static all: FakePeer[] = [];
  static answered = true;
  /** An ICE restart finds a way. */
  static hasOtherWay = true;
  restarts = 0;
  connectionState: RTCPeerConnectionState = 'new';
  onconnectionstatechange: (() => void) | null = null;
  localDescription: { sdp: string } | null = null;
  readonly lines: { mid: string | null; kind: string; direction: string }[] = [];

  constructor() {
    FakePeer.all.push(this);
  }

  addTransceiver(track: { kind: string } | string, { direction }: { direction: string }) {
    const kind = typeof track === 'string' ? track : track.kind;
    const line = { mid: null as string | null, kind, direction };
    this.lines.push(line);
    return Object.assign(line, {
      setCodecPreferences: vi.fn(),
      sender: {
        replaceTrack: vi.fn(() => Promise.resolve()),
        getParameters: () => ({ encodings: [] }),
        setParameters: vi.fn(() => Promise.resolve()),
      },
      receiver: { track: { kind } },
    });
  }

  setLocalDescription() {
    this.lines.forEach((line, index) => (line.mid = `${index}`));
    this.localDescription = { sdp: `${this.lines.length} lines` };
    return Promise.resolve();
  }

  setRemoteDescription() {
    if (this.restarts === 0 || FakePeer.hasOtherWay) this.become('connected');
    return Promise.resolve();
  }

  restartIce() {
    this.restarts++;
  }

  close() {
    this.connectionState = 'closed';
  }

  become(state: RTCPeerConnectionState) {
    this.connectionState = state;
    this.onconnectionstatechange?.();
  }
}

class FakeStream {
  constructor(readonly tracks: unknown[]) {}
}

const me: Participant = {
  id: 'me',
  name: '李雷',
  role: 'member',
  via: 'web',
  number: null,
  muted: false,
  camera: false,
  screen: false,
  hand: false,
  connected: true,
};

function welcome(socket = FakeSocket.last, more: Partial<Participant> = {}) {
  socket.say({
    type: 'joined',
    you: more.id ?? 'me',
    resume: 'secret',
    ice_servers: [],
    meeting: {
      id: 'm',
      number: '123456789',
      title: '周会',
      capacity: 10,
      ends_ms: null,
      scalable: true,
      livestream: true,
      dial_out: false,
      host_video: true,
      participant_video: true,
      share_locked: false,
      waiting_room: false,
      mute_on_entry: false,
      spotlight: null,
      shown: null,
      breakouts: 0,
      breakouts_end_ms: null,
      locked: false,
      self_unmute: true,
      recording: false,
      viewers_may: { chat: true, questions: true, reactions: true, hands: true },
    },
    seq: 0,
    participants: [{ ...me, ...more }],
    chat: [],
    polls: [],
    questions: [],
    waiting: [],
    viewer_hands: [],
    dials: [],
    broadcast: null,
  });
}

/** Lets promises run that wait for nothing but each other. */
const settle = () => vi.advanceTimersByTimeAsync(0);

async function join(more: Partial<JoinOptions> = {}) {
  const joining = Meeting.join({ meeting: 'm', name: '李雷', server: 'https://meet.example', ...more });
  await settle();
  welcome();
  const meeting = await joining;
  await settle();
  const ends: Ended[] = [];
  meeting.on('ended', ended => ends.push(ended));
  return { meeting, ends };
}

const track = (kind: string) =>
  ({ kind, enabled: true, contentHint: '', getSettings: () => ({}) }) as unknown as MediaStreamTrack;

beforeEach(() => {
  vi.useFakeTimers();
  FakeSocket.all = [];
  FakeSocket.reachable = true;
  FakePeer.all = [];
  FakePeer.answered = true;
  FakePeer.hasOtherWay = true;
  vi.stubGlobal('WebSocket', FakeSocket);
  vi.stubGlobal('RTCPeerConnection', FakePeer);
  vi.stubGlobal('MediaStream', FakeStream);
  vi.stubGlobal('addEventListener', vi.fn());
  vi.stubGlobal('removeEventListener', vi.fn());
  for (const name of ['RTCRtpSender', 'RTCRtpReceiver']) {
    vi.stubGlobal(name, { getCapabilities: () => ({ codecs: [] }) });
  }
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe('joining', () => {
  // product: C17
  it('hears at the door what it waits for and what a host says', async () => {
    const heard: string[] = [];
    const joining = Meeting.join({
      meeting: 'm',
      name: '李雷',
      server: 'https://meet.example',
      onWaiting: reason => heard.push(reason),
      onTold: text => heard.push(text),
    });
    await settle();
    FakeSocket.last.say({ type: 'waiting', reason: 'admission' });
    FakeSocket.last.say({ type: 'told', text: '五分钟后开始' });
    welcome();
    await joining;
    expect(heard).toEqual(['admission', '五分钟后开始']);
  });

  it('says who one is and offers both connections once', async () => {
    const { meeting } = await join({ password: '135790', language: 'zh-CN' });
    expect(FakeSocket.last.url).toBe('wss://meet.example/api/v1/meetings/m/session?lang=zh-CN');
    expect(FakeSocket.last.sent.map(({ type }) => type)).toEqual(['join', 'publish', 'subscribe']);
    expect(FakeSocket.last.sent[0]).toEqual({ type: 'join', name: '李雷', password: '135790' });
    expect(meeting.state).toMatchObject({ phase: 'joined', sending: true, receiving: true, you: 'me' });
  });

  it('sends microphone, camera and screen in this order, and receives six voices and nine pictures', async () => {
    await join();
    const [publish, subscribe] = FakePeer.all;
    expect(publish?.lines.map(({ kind }) => kind)).toEqual(['audio', 'video', 'video']);
    expect(publish?.lines.every(({ direction }) => direction === 'sendonly')).toBe(true);
    expect(subscribe?.lines.filter(({ kind }) => kind === 'audio')).toHaveLength(6);
    expect(subscribe?.lines.filter(({ kind }) => kind === 'video')).toHaveLength(9);
  });

  // product: J5
  it('is muted before anything is heard, always or on a seat that one did not have', async () => {
    for (const [muted, commands] of [
      [true, ['mute']],
      [(you: string) => you !== 'me', []],
      [(you: string) => you === 'me', ['mute']],
    ] as const) {
      const microphone = track('audio');
      const { meeting } = await join({ tracks: { microphone }, muted });
      expect(FakeSocket.last.commands()).toEqual(commands);
      expect(microphone.enabled).toBe(commands.length === 0);
      expect(meeting.me?.muted).toBe(commands.length > 0);
      if (commands.length > 0) expect(FakeSocket.last.sent[1]?.type).toBe('command');
    }
  });

  it('fails with the server’s words', async () => {
    const joining = Meeting.join({ meeting: 'm', name: '李雷', server: 'https://meet.example' });
    const outcome = expect(joining).rejects.toMatchObject({ code: 'wrong_password', title: '会议密码错误' });
    await settle();
    FakeSocket.last.say({
      type: 'refused',
      id: null,
      problem: { code: 'wrong_password', title: '会议密码错误' },
    });
    await outcome;
    expect(FakeSocket.last.readyState).toBe(3);
  });

  it('fails where nobody answers, and where the connection ends before the answer', async () => {
    FakeSocket.reachable = false;
    const unreachable = { name: 'Problem', code: 'unreachable' };
    await expect(Meeting.join({ meeting: 'm', name: 'a', server: 'https://x' })).rejects.toMatchObject(
      unreachable,
    );
    FakeSocket.reachable = true;
    const joining = Meeting.join({ meeting: 'm', name: 'a', server: 'https://x' });
    const outcome = expect(joining).rejects.toMatchObject(unreachable);
    await settle();
    FakeSocket.last.drop();
    await outcome;
  });
});

describe('the door', () => {
  // product: J3, J6
  it('is knocked at again where the line or the server is lost, and the line is looked after meanwhile', async () => {
    const joining = Meeting.join({ meeting: 'm', name: '李雷', server: 'https://meet.example' });
    await settle();
    FakeSocket.last.say({ type: 'waiting', reason: 'admission' });
    await vi.advanceTimersByTimeAsync(31_000);
    expect(FakeSocket.last.sent.map(({ type }) => type)).toEqual(['join', 'ping', 'ping']);
    // A server that stops.
    FakeSocket.last.say({ type: 'refused', id: null, problem: { code: 'draining', title: '' } });
    FakeSocket.reachable = false;
    await vi.advanceTimersByTimeAsync(200_000);
    FakeSocket.reachable = true;
    await vi.advanceTimersByTimeAsync(7_000);
    expect(FakeSocket.last.sent.map(({ type }) => type)).toEqual(['join']);
    FakeSocket.last.say({ type: 'waiting', reason: 'admission' });
    // A line that is cut, of which nobody says anything.
    FakePeer.answered = false;
    const tries = FakeSocket.all.length;
    await vi.advanceTimersByTimeAsync(23_100);
    expect(FakeSocket.all).toHaveLength(tries + 1);
    welcome();
    await expect(joining).resolves.toMatchObject({ you: 'me' });
  });

  it('is left by whoever gives up, also between two tries', async () => {
    const patience = new AbortController();
    const { signal } = patience;
    const joining = Meeting.join({ meeting: 'm', name: '李雷', server: 'https://meet.example', signal });
    const outcome = expect(joining).rejects.toMatchObject({ code: 'offline' });
    await settle();
    FakeSocket.last.say({ type: 'waiting', reason: 'host' });
    FakeSocket.reachable = false;
    FakeSocket.last.drop();
    await vi.advanceTimersByTimeAsync(1_000);
    patience.abort();
    await outcome;
    const tries = FakeSocket.all.length;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(FakeSocket.all).toHaveLength(tries);
  });
});

describe('in the meeting', () => {
  it('carries commands out and passes refusals on', async () => {
    const { meeting } = await join();
    await meeting.muteAll(false);
    expect(FakeSocket.last.commands()).toEqual(['mute_all']);
    FakeSocket.last.send = () => undefined;
    const refused = expect(meeting.end()).rejects.toBeInstanceOf(Problem);
    FakeSocket.last.say({ type: 'refused', id: 4, problem: { code: 'not_allowed', title: '您没有此权限' } });
    await refused;
    expect(meeting.state.phase).toBe('joined');
  });

  // product: C7
  it('stops the microphone as soon as the host has muted it', async () => {
    const microphone = track('audio');
    const { meeting } = await join({ tracks: { microphone } });
    const notices: Notice[] = [];
    meeting.on('notice', notice => notices.push(notice));
    expect(microphone.enabled).toBe(true);
    const event = { type: 'participant_changed', participant: { ...me, muted: true } } as const;
    FakeSocket.last.say({ type: 'event', seq: 1, event });
    FakeSocket.last.say({ type: 'notice', notice: 'muted' });
    expect(microphone.enabled).toBe(false);
    expect(notices).toEqual(['muted']);
  });

  // product: C2
  it('toggles what was asked for last, and not what the server has said last', async () => {
    const { meeting } = await join({ muted: true });
    const microphone = track('audio');
    await meeting.setMicrophone(microphone);
    const socket = FakeSocket.last;
    const asked: { id: number; type: string }[] = [];
    socket.send = text => {
      const message = JSON.parse(text) as ClientMessage;
      if (message.type === 'command') asked.push({ id: message.id, type: message.command.type });
    };
    let seq = 0;
    const tell = (muted: boolean) =>
      socket.say({
        type: 'event',
        seq: ++seq,
        event: { type: 'participant_changed', participant: { ...me, muted } },
      });
    const presses = [meeting.toggleMuted(), meeting.toggleMuted(), meeting.toggleMuted()];
    await settle();
    // The first was overtaken before anything was said.
    expect(asked.map(({ type }) => type)).toEqual(['mute', 'unmute']);
    expect([await presses[0], meeting.muted]).toEqual([null, false]);
    for (const { id } of asked.splice(0)) socket.say({ type: 'done', id });
    expect(await Promise.all(presses.slice(1))).toMatchObject([{ muted: true }, { muted: false }]);
    // Done, and not told yet.
    expect([meeting.muted, meeting.me?.muted]).toEqual([false, true]);
    tell(false);
    expect(microphone.enabled).toBe(true);

    // Off and on again while the first is under way, and off at last.
    for (let press = 0; press < 3; press++) {
      void meeting.toggleMuted();
      await settle();
    }
    expect(asked.map(({ type }) => type)).toEqual(['mute', 'unmute', 'mute']);
    for (const { id } of asked) socket.say({ type: 'done', id });
    await settle();
    for (const muted of [true, false, true]) tell(muted);
    expect([meeting.muted, meeting.me?.muted, microphone.enabled]).toEqual([true, true, false]);
    // What others do counts again.
    tell(false);
    expect([meeting.muted, microphone.enabled]).toEqual([false, true]);
  });

  // product: C2
  it('does not unmute who cannot be heard, nor who is refused', async () => {
    const { meeting } = await join({ muted: true });
    expect(await meeting.toggleMuted(() => Promise.resolve(false))).toBeNull();
    expect([meeting.muted, FakeSocket.last.commands()]).toEqual([true, ['mute']]);
    const problem = { code: 'muted_by_host', title: '' };
    FakeSocket.last.send = text => {
      const { id } = JSON.parse(text) as { id: number };
      queueMicrotask(() => FakeSocket.last.say({ type: 'refused', id, problem }));
    };
    await expect(meeting.toggleMuted()).rejects.toMatchObject({ code: 'muted_by_host' });
    expect(meeting.muted).toBe(true);
  });

  it('finds the stream of whoever is in a slot', async () => {
    const { meeting } = await join();
    FakeSocket.last.say({
      type: 'slots',
      slots: [
        { mid: '0', participant: 'phone', kind: 'audio' },
        { mid: '6', participant: null, kind: 'camera' },
        { mid: '7', participant: 'far', kind: 'camera', paused: true },
        { mid: '99', participant: 'ghost', kind: 'camera' },
      ],
    });
    expect(meeting.stream('phone', 'audio')).not.toBeNull();
    expect(meeting.stream('ghost', 'camera')).toBeNull();
    expect([meeting.isPaused('far', 'camera'), meeting.isPaused('phone', 'audio')]).toEqual([true, false]);
    expect(meeting.state.received).toHaveLength(3);
  });

  it('ends when the host ends it, and stays ended', async () => {
    const { meeting, ends } = await join();
    FakeSocket.last.say({ type: 'ended', reason: 'meeting_ended' });
    FakeSocket.last.drop();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(ends).toEqual([{ reason: 'meeting_ended' }]);
    expect(meeting.state.phase).toBe('ended');
    expect(FakeSocket.all).toHaveLength(1);
  });
});

describe('a lost network', () => {
  // product: J6
  it('gives the same seat again, with both connections and what one showed', async () => {
    const patience = new AbortController();
    const { meeting, ends } = await join({ signal: patience.signal });
    // Nobody waits any longer: he is in.
    patience.abort();
    await meeting.setCamera(track('video'));
    FakeSocket.last.drop();
    expect(meeting.state.phase).toBe('reconnecting');
    await expect(meeting.mute()).rejects.toMatchObject({ code: 'offline' });
    expect(meeting.me?.muted).toBe(true);
    await settle();
    await settle();
    expect(FakeSocket.all).toHaveLength(2);
    expect(FakeSocket.last.sent[0]).toEqual({ type: 'join', name: '李雷', resume: 'secret' });
    welcome();
    await settle();
    expect(meeting.state).toMatchObject({ phase: 'joined', sending: true, receiving: true });
    // Whoever muted himself while it was lost is muted.
    expect(FakeSocket.last.commands()).toEqual(['mute', 'camera']);
    expect(FakePeer.all).toHaveLength(4);
    expect(ends).toEqual([]);
  });

  // product: J6, C7
  it('that cost the seat leaves whoever was muted muted, before anything is heard of him, and with his new name', async () => {
    const microphone = track('audio');
    const { meeting } = await join({ tracks: { microphone } });
    const known: Participant = { ...me, id: 'known', name: '韩梅梅' };
    FakeSocket.last.say({ type: 'event', seq: 1, event: { type: 'participant_joined', participant: known } });
    const changed: Participant = { ...me, muted: true, name: '李雷雷' };
    FakeSocket.last.say({
      type: 'event',
      seq: 2,
      event: { type: 'participant_changed', participant: changed },
    });
    const heard: boolean[] = [];
    meeting.on('change', () => heard.push(microphone.enabled));
    const begins: string[] = [];
    meeting.on('anew', () => begins.push(meeting.you));
    FakeSocket.last.drop();
    await settle();
    await settle();
    expect(FakeSocket.last.sent[0]).toEqual({ type: 'join', name: '李雷雷', resume: 'secret' });
    welcome(FakeSocket.last, { id: 'other' });
    await settle();
    expect(meeting.you).toBe('other');
    expect(meeting.me?.muted).toBe(true);
    expect(heard).not.toContain(true);
    expect(FakeSocket.last.sent.map(({ type }) => type)).toEqual(['join', 'command', 'publish', 'subscribe']);
    expect(FakeSocket.last.commands()).toEqual(['mute']);
    expect(begins).toEqual(['other']);
    const open: Participant = { ...me, id: 'other' };
    FakeSocket.last.say({ type: 'event', seq: 1, event: { type: 'participant_changed', participant: open } });
    expect(microphone.enabled).toBe(true);
  });

  // product: J6
  it('shows what one has switched off meanwhile no longer', async () => {
    const { meeting } = await join();
    await meeting.setCamera(track('video'));
    await meeting.setScreen(track('video'));
    FakeSocket.last.drop();
    await expect(meeting.setCamera(null)).rejects.toMatchObject({ code: 'offline' });
    await settle();
    await settle();
    // The server had not noticed that the connection was lost.
    welcome(FakeSocket.last, { camera: true, screen: true });
    await settle();
    expect(FakeSocket.last.sent).toContainEqual(
      expect.objectContaining({ command: { type: 'camera', on: false } }),
    );
    expect(FakeSocket.last.commands()).toEqual(['camera']);
  });

  // product: C13, J6
  it('ends what may not be shared any more, and says so', async () => {
    const { meeting } = await join();
    await meeting.setScreen(track('video'));
    const told: string[] = [];
    meeting.on('notShown', ({ source, problem }) => told.push(source, problem.code));
    FakeSocket.last.drop();
    await settle();
    await settle();
    const send = FakeSocket.last.send.bind(FakeSocket.last);
    const problem = { code: 'share_locked', title: '主持人已锁定共享' };
    FakeSocket.last.send = text => {
      const message = JSON.parse(text) as ClientMessage;
      if (message.type !== 'command') return send(text);
      queueMicrotask(() => FakeSocket.last.say({ type: 'refused', id: message.id, problem }));
    };
    welcome();
    await settle();
    expect(told).toEqual(['screen', 'share_locked']);
    expect(meeting.track('screen')).toBeNull();
  });

  // product: J6
  it('is tried again until it is there', async () => {
    const { meeting } = await join();
    FakeSocket.reachable = false;
    FakeSocket.last.drop();
    await vi.advanceTimersByTimeAsync(20_000);
    expect(meeting.state.phase).toBe('reconnecting');
    const tries = FakeSocket.all.length;
    expect(tries).toBeGreaterThan(5);
    expect(tries).toBeLessThan(15);
    FakeSocket.reachable = true;
    await vi.advanceTimersByTimeAsync(7_000);
    welcome();
    await settle();
    expect(meeting.state.phase).toBe('joined');
  });

  it('ends where the seat is no longer to be had', async () => {
    const { ends } = await join();
    FakeSocket.last.drop();
    await settle();
    await settle();
    FakeSocket.last.say({ type: 'refused', id: null, problem: { code: 'removed', title: '' } });
    await settle();
    expect(ends).toMatchObject([{ reason: 'refused', problem: { code: 'removed' } }]);
  });

  // product: J6
  it('of media alone is offered again over the same connection', async () => {
    const { meeting } = await join();
    FakePeer.all[0]?.become('failed');
    expect(meeting.state.sending).toBe(false);
    await vi.advanceTimersByTimeAsync(10);
    expect(FakePeer.all).toHaveLength(3);
    expect(FakeSocket.all).toHaveLength(1);
    expect(meeting.state.sending).toBe(true);
  });

  // product: J6
  it('of all offers nothing before one is seated again', async () => {
    const { meeting, ends } = await join();
    FakeSocket.last.drop();
    await settle();
    await settle();
    FakePeer.all[0]?.become('failed');
    await vi.advanceTimersByTimeAsync(1_000);
    expect(FakeSocket.last.sent.map(({ type }) => type)).toEqual(['join']);
    welcome();
    await settle();
    expect(meeting.state).toMatchObject({ phase: 'joined', sending: true, receiving: true });
    expect(ends).toEqual([]);
  });

  // product: J6
  it('that nobody has noticed is found out by a question that stays unanswered', async () => {
    const { meeting } = await join();
    FakePeer.answered = false;
    FakePeer.all[1]?.become('disconnected');
    await vi.advanceTimersByTimeAsync(3_000);
    expect(FakeSocket.last.sent.at(-1)?.type).toBe('ping');
    expect(FakePeer.all).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(8_010);
    expect(meeting.state.phase).toBe('reconnecting');
    expect(FakeSocket.all).toHaveLength(2);
  });

  // product: J6
  it('that is back brings the connection back that was', async () => {
    const { meeting } = await join();
    FakePeer.answered = false;
    FakePeer.all[1]?.become('disconnected');
    await vi.advanceTimersByTimeAsync(7_000);
    FakePeer.all[1]?.become('connected');
    await vi.advanceTimersByTimeAsync(500);
    expect(meeting.state.receiving).toBe(true);
    expect(FakePeer.all).toMatchObject([{ restarts: 0 }, { restarts: 0 }]);
  });

  // product: J6, RFC 8445 §9
  it('that is there goes by another way, and by another connection only where that leads nowhere', async () => {
    const { meeting } = await join();
    FakePeer.all[1]?.become('disconnected');
    await vi.advanceTimersByTimeAsync(2_900);
    expect(FakePeer.all[1]?.restarts).toBe(0);
    await vi.advanceTimersByTimeAsync(200);
    expect(FakePeer.all).toMatchObject([{ restarts: 0 }, { restarts: 1 }]);
    expect(FakeSocket.last.sent.at(-1)).toMatchObject({ type: 'subscribe', restart: true });
    expect(meeting.state.receiving).toBe(true);
    FakePeer.hasOtherWay = false;
    FakePeer.all[1]?.become('disconnected');
    await vi.advanceTimersByTimeAsync(4_900);
    expect(meeting.state.receiving).toBe(false);
    expect(FakePeer.all).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(200);
    expect(FakePeer.all).toHaveLength(3);
    expect(FakeSocket.last.sent.at(-1)).toMatchObject({ type: 'subscribe', sdp: '15 lines' });
    expect(FakeSocket.last.sent.at(-1)).not.toHaveProperty('restart');
    expect(meeting.state.receiving).toBe(true);
  });

  it('of a connection that the server knows nothing of any more is begun anew at once', async () => {
    const { meeting } = await join();
    const send = FakeSocket.last.send.bind(FakeSocket.last);
    FakeSocket.last.send = text => {
      const message = JSON.parse(text) as ClientMessage;
      if (message.type !== 'publish' || !message.restart) return send(text);
      const problem = { code: 'bad_offer', title: '' };
      queueMicrotask(() => FakeSocket.last.say({ type: 'refused', id: message.id, problem }));
    };
    FakePeer.all[0]?.become('disconnected');
    await vi.advanceTimersByTimeAsync(3_100);
    expect(FakePeer.all).toHaveLength(3);
    expect(meeting.state.sending).toBe(true);
  });

  it('of a server that stops is waited for', async () => {
    const { meeting, ends } = await join();
    FakeSocket.last.say({ type: 'ended', reason: 'server_stopping' });
    await settle();
    expect(meeting.state.phase).toBe('reconnecting');
    FakeSocket.reachable = false;
    FakeSocket.last.drop();
    await vi.advanceTimersByTimeAsync(150_000);
    expect(ends).toMatchObject([{ reason: 'unreachable' }]);
  });

  it('between two events is mended by coming back', async () => {
    const { meeting } = await join();
    FakeSocket.last.say({ type: 'event', seq: 5, event: { type: 'broadcast_changed', broadcast: null } });
    expect(meeting.state.phase).toBe('reconnecting');
  });
});
