import type { Meeting } from '@huitong/sdk';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { useLocalMedia } from '../media/local';
import { PushToTalk } from './pushToTalk';

const microphone = { stop: vi.fn(), onended: null } as unknown as MediaStreamTrack;
const open = useLocalMedia.getState().open;

/** A server that answers when it is let; what one was told last is what one knows. */
class FakeMeeting {
  readonly me = { muted: true };
  readonly asked: string[] = [];
  readonly #answers: (() => void)[] = [];
  unmute = () => this.#ask('unmute');
  mute = () => this.#ask('mute');

  #ask(what: 'mute' | 'unmute'): Promise<void> {
    this.asked.push(what);
    return new Promise(resolve =>
      this.#answers.push(() => {
        this.me.muted = what === 'mute';
        resolve();
      }),
    );
  }

  async answer(): Promise<void> {
    this.#answers.shift()?.();
    await settle();
  }
}

const settle = () => new Promise(resolve => setTimeout(resolve));

let meeting: FakeMeeting;
let talk: PushToTalk;
beforeEach(() => {
  meeting = new FakeMeeting();
  talk = new PushToTalk(meeting as unknown as Meeting);
  useLocalMedia.setState({ microphone });
});
afterEach(() => useLocalMedia.setState({ microphone: null, open }));

// product: C18
it('mutes whoever lets go before the server has answered, each time', async () => {
  talk.hold();
  await settle();
  talk.release();
  // He is told to be heard, and already talks again.
  await meeting.answer();
  expect(meeting.me.muted).toBe(false);
  expect(talk.hold()).toBe(true);
  await settle();
  talk.release();
  for (let left = 3; left > 0; left--) await meeting.answer();
  expect(meeting.asked).toEqual(['unmute', 'mute', 'unmute', 'mute']);
  expect(meeting.me.muted).toBe(true);
});

it('does not open the ears of others for who has let go before his microphone was open', async () => {
  let give: (track: MediaStreamTrack) => void = () => undefined;
  useLocalMedia.setState({ microphone: null, open: () => new Promise(resolve => (give = resolve)) });
  talk.hold();
  talk.release();
  give(microphone);
  await settle();
  expect(meeting.asked).toEqual(['mute']);
});

it('is nothing for who is heard anyway', () => {
  meeting.me.muted = false;
  expect(talk.hold()).toBe(false);
  talk.release();
  expect(meeting.asked).toEqual([]);
});
