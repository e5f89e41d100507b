import { type Ended, type FrameCommand, type FrameState, type Meeting, Problem } from '@huitong/sdk';
import { toggleCamera, toggleHand, toggleMicrophone, toggleScreen } from '../meeting/controls';
import { toggleLayout } from '../meeting/Shortcuts';
import { rest } from '../rest';

/*
 * The frame's end of `MeetingFrame` (web/sdk/src/frame.ts). Only the page around this one is listened to, and only where
 * its origin is our own or one that the operator trusts; before it has said hello it is told nothing.
 */

type ToFrame = { huitong: 1; hello: true } | { huitong: 1; id: number; command: FrameCommand };

let parent: string | null = null;
let meeting: Meeting | null = null;

/** Listens for the page around this one. */
export async function startBridge(): Promise<void> {
  const trusted = await rest.info().then(
    ({ origins }) => [location.origin, ...origins],
    () => [location.origin],
  );
  window.addEventListener('message', ({ source, origin, data }: MessageEvent<ToFrame | null>) => {
    if (source !== window.parent || !trusted.includes(origin) || data?.huitong !== 1) return;
    if ('hello' in data) return greet(origin);
    void obey(data.command).then(
      () => post({ id: data.id }),
      (thrown: unknown) => {
        const { code, title } = Problem.from(thrown);
        post({ id: data.id, problem: { code, title } });
      },
    );
  });
}

/** The meeting has begun for this page; gives back what ends it. */
export function bridge(begun: Meeting): (ended?: Ended) => void {
  meeting = begun;
  post({ event: 'joined', detail: stateOf(begun) });
  const undo = begun.on('change', () => post({ event: 'changed', detail: stateOf(begun) }));
  return ended => {
    undo();
    meeting = null;
    if (ended) post({ event: 'ended', detail: { reason: ended.reason } });
  };
}

function greet(origin: string): void {
  // Said again until it is heard.
  if (parent === origin) return;
  parent = origin;
  post({ event: 'ready' });
  if (meeting) post({ event: 'joined', detail: stateOf(meeting) });
}

function post(message: object): void {
  if (parent !== null) window.parent.postMessage({ huitong: 1, ...message }, parent);
}

function stateOf({ me, state }: Meeting): FrameState {
  return {
    phase: state.phase,
    title: state.meeting.title,
    muted: me?.muted ?? true,
    camera: me?.camera ?? false,
    hand: me?.hand ?? false,
    participants: state.participants.length,
  };
}

async function obey(command: FrameCommand): Promise<void> {
  if (!meeting) throw new Problem({ code: 'not_joined', title: '' });
  switch (command.type) {
    case 'toggle_microphone':
      return toggleMicrophone(meeting);
    case 'toggle_camera':
      return toggleCamera();
    case 'toggle_screen':
      return toggleScreen();
    case 'toggle_hand':
      return toggleHand(meeting);
    case 'toggle_layout':
      return toggleLayout();
    case 'say':
      return meeting.say(command.text);
    case 'leave':
      return meeting.leave();
    default:
      throw new Problem({ code: 'bad_message', title: '' });
  }
}
