import { describe, expect, it } from 'vitest';
import { backoff } from './backoff';
import { wantedCodecs } from './codecs';
import { type Joined, type Participant, parseServerMessage } from './protocol';
import { encodingsOf } from './publisher';
import { applyEvent, rosterOf } from './roster';

const person = (id: string, more: Partial<Participant> = {}): Participant => ({
  id,
  name: id,
  role: 'member',
  via: 'web',
  number: null,
  muted: false,
  camera: false,
  screen: false,
  hand: false,
  connected: true,
  ...more,
});

const joined: Joined = {
  type: 'joined',
  you: 'a',
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
    breakouts: 0,
    breakouts_end_ms: null,
    locked: false,
    self_unmute: true,
    recording: false,
    viewers_may: { chat: true, questions: true, reactions: true, hands: true },
    shown: null,
  },
  seq: 7,
  participants: [person('a')],
  chat: [],
  polls: [],
  questions: [],
  waiting: [],
  viewer_hands: [],
  dials: [],
  broadcast: null,
};

describe('the roster', () => {
  const roster = rosterOf(joined);

  // product: B4
  it('follows what viewers ask, and how many want it answered', () => {
    const question = (id: number) => {
      return { id, from: 'v', name: '观众', text: '几点？', votes: 1, answered: false, at_ms: 0 };
    };
    const asked = [8, 9].reduce(
      (known, seq) => applyEvent(known, seq, { type: 'question_changed', question: question(seq) }) ?? known,
      roster,
    );
    const votes = [{ id: 9, votes: 40 }];
    const voted = applyEvent(asked, 10, { type: 'question_votes', votes });
    expect(voted?.questions.map(({ id, votes }) => [id, votes])).toEqual([
      [8, 1],
      [9, 40],
    ]);
    const removed = voted && applyEvent(voted, 11, { type: 'question_removed', id: 8 });
    expect(removed?.questions.map(({ id }) => id)).toEqual([9]);
  });

  it('follows who comes, changes and goes', () => {
    const phone = person('b', { via: 'phone', number: '138****5678' });
    const came = applyEvent(roster, 8, { type: 'participant_joined', participant: phone });
    expect(came?.participants.map(({ id }) => id)).toEqual(['a', 'b']);
    const muted =
      came && applyEvent(came, 9, { type: 'participant_changed', participant: { ...phone, muted: true } });
    expect(muted?.participants[1]).toMatchObject({ id: 'b', muted: true });
    const went = muted && applyEvent(muted, 10, { type: 'participant_left', id: 'b', reason: 'removed' });
    expect(went?.participants).toHaveLength(1);
    expect(went?.seq).toBe(10);
  });

  it('leaves alone what it knows already and asks anew for what it missed', () => {
    const event = { type: 'participant_joined', participant: person('b') } as const;
    expect(applyEvent(roster, 7, event)).toBe(roster);
    expect(applyEvent(roster, 9, event)).toBeNull();
  });

  it('counts events of a newer server', () => {
    const unknown = { type: 'poll_opened' } as never;
    expect(applyEvent(roster, 8, unknown)).toEqual({ ...roster, seq: 8 });
  });
});

describe('messages', () => {
  it('are told from nonsense', () => {
    expect(parseServerMessage('{"type":"done","id":3}')).toEqual({ type: 'done', id: 3 });
    for (const text of ['', '3', 'null', '[]', '{"type":7}', '{"type":"unheard_of"}', '{"id":1']) {
      expect(parseServerMessage(text), text).toBeNull();
    }
  });
});

describe('coming back', () => {
  it('is tried at once, then ever more slowly, never slower than the seat is kept', () => {
    const waits = Array.from({ length: 12 }, (_, attempt) => backoff(attempt, () => 1));
    expect(waits[0]).toBe(0);
    expect(waits).toEqual([...waits].sort((a, b) => a - b));
    expect(Math.max(...waits)).toBeLessThan(10_000);
  });
});

describe('codecs', () => {
  const codec = (mimeType: string, clockRate = 90_000) => ({ mimeType, clockRate });

  it('are VP8 with its retransmission, and Opus', () => {
    const video = ['video/H264', 'video/VP8', 'video/rtx', 'video/AV1'].map(type => codec(type));
    expect(wantedCodecs('send', 'video', video).map(({ mimeType }) => mimeType)).toEqual([
      'video/VP8',
      'video/rtx',
    ]);
    const audio = ['audio/red', 'audio/opus', 'audio/PCMU'].map(type => codec(type, 48_000));
    for (const direction of ['send', 'receive'] as const) {
      expect(wantedCodecs(direction, 'audio', audio).map(({ mimeType }) => mimeType)).toEqual([
        'audio/opus',
        'audio/red',
      ]);
    }
  });

  it('are, of what is received, one profile of each, with VP8 first', () => {
    const fmtp = (mimeType: string, sdpFmtpLine: string) => ({ ...codec(mimeType), sdpFmtpLine });
    const plain = fmtp(
      'video/H264',
      'level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f',
    );
    const whole = fmtp(
      'video/H264',
      'level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=42e01f',
    );
    const deep = fmtp('video/VP9', 'profile-id=2');
    const offered = [whole, plain, deep, codec('video/VP8'), codec('video/rtx'), codec('video/H265')];
    const kept = wantedCodecs('receive', 'video', offered);
    expect(kept).toEqual([codec('video/VP8'), plain, codec('video/rtx')]);
  });

  it('are the browser’s choice where it has none of ours', () => {
    expect(wantedCodecs('send', 'video', [codec('video/H264'), codec('video/rtx')])).toEqual([]);
  });
});

describe('what is sent of a screen', () => {
  const shared = (width?: number, height?: number) =>
    ({ getSettings: () => ({ width, height }) }) as unknown as MediaStreamTrack;
  const sizes = (track: MediaStreamTrack | null) =>
    encodingsOf('screen', track).map(({ rid, scaleResolutionDownBy }) => [rid, scaleResolutionDownBy]);

  it('is half of it too, unless it is so small that browsers send one size', () => {
    const both = [
      ['h', 2],
      ['f', 1],
    ];
    expect(sizes(shared(1_920, 1_080))).toEqual(both);
    expect(sizes(shared(480, 270))).toEqual(both);
    expect(sizes(null)).toEqual(both);
    expect(sizes(shared())).toEqual(both);
    expect(sizes(shared(400, 300))).toEqual([
      ['h', 1],
      ['f', 1],
    ]);
    expect(encodingsOf('camera', shared(320, 180))[0]?.scaleResolutionDownBy).toBe(4);
  });
});
