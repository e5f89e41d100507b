import { Emitter } from './emitter';
import { Problem } from './problem';
import type { ProblemBody } from './protocol';

/** How long the frame may take to answer. */
const ANSWER_MS_MAX = 10_000;

/** How often it is called until it answers for the first time: its page is still coming. */
const CALL_MS = 300;

export interface FrameOptions {
  /** The server's origin. */
  server: string;
  /** The meeting ID. */
  number: string;
  name?: string;
  password?: string;
  /** `zh-CN` or `en`; the browser's otherwise. */
  language?: string;
  /** Come in without the page that shows one to oneself. */
  direct?: boolean;
}

/** What the frame is told to do (`docs/reference/embedding.md`). */
export type FrameCommand =
  | {
      type:
        'toggle_microphone' | 'toggle_camera' | 'toggle_screen' | 'toggle_hand' | 'toggle_layout' | 'leave';
    }
  | { type: 'say'; text: string };

/** One's meeting as the frame tells of it. */
export interface FrameState {
  phase: 'joined' | 'reconnecting' | 'ended';
  title: string;
  muted: boolean;
  camera: boolean;
  hand: boolean;
  participants: number;
}

export interface FrameEvents {
  /** The frame's page is there, outside the meeting. */
  ready: undefined;
  joined: FrameState;
  changed: FrameState;
  /** Why one is no longer in: `left`, `removed`, `meeting_ended`, … */
  ended: { reason: string };
}

type FromFrame =
  | { huitong: 1; event: keyof FrameEvents; detail?: unknown }
  | { huitong: 1; id: number; problem?: ProblemBody };

/** The whole meeting's page in a frame of another one; both talk by `postMessage`. */
export class MeetingFrame extends Emitter<FrameEvents> {
  readonly element: HTMLIFrameElement;
  readonly #origin: string;
  readonly #pending = new Map<number, (answer: ProblemBody | undefined) => void>();
  readonly #calling: ReturnType<typeof setInterval>;
  #lastId = 0;

  constructor(parent: HTMLElement, options: FrameOptions) {
    super();
    const { server, number, name, password, language, direct } = options;
    const url = new URL(`/embed/${encodeURIComponent(number)}`, server);
    if (name) url.searchParams.set('name', name);
    if (language) url.searchParams.set('lang', language);
    if (direct) url.searchParams.set('direct', '1');
    // What stands behind the # is told to no server.
    if (password) url.hash = `p=${password}`;
    this.#origin = url.origin;
    this.element = document.createElement('iframe');
    this.element.allow =
      'camera; microphone; display-capture; fullscreen; picture-in-picture; autoplay; clipboard-write';
    this.element.title = number;
    this.element.style.cssText = 'border:0;width:100%;height:100%';
    this.element.src = url.href;
    addEventListener('message', this.#receive);
    this.#calling = setInterval(() => this.#post({ hello: true }), CALL_MS);
    parent.append(this.element);
  }

  /** Does something, or rejects with a {@link Problem}. */
  command(command: FrameCommand): Promise<void> {
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#pending.delete(id);
        reject(Problem.local('timeout'));
      }, ANSWER_MS_MAX);
      this.#pending.set(id, problem => {
        clearTimeout(timer);
        if (problem) reject(new Problem(problem));
        else resolve();
      });
      this.#post({ id, command });
    });
  }

  /** Takes the frame away; one leaves the meeting. */
  remove(): void {
    clearInterval(this.#calling);
    removeEventListener('message', this.#receive);
    this.element.remove();
  }

  #post(message: object): void {
    this.element.contentWindow?.postMessage({ huitong: 1, ...message }, this.#origin);
  }

  readonly #receive = ({ source, origin, data }: MessageEvent<FromFrame | null>): void => {
    if (source !== this.element.contentWindow || origin !== this.#origin || data?.huitong !== 1) return;
    clearInterval(this.#calling);
    if ('event' in data) {
      this.emit(data.event, data.detail as never);
      return;
    }
    this.#pending.get(data.id)?.(data.problem);
    this.#pending.delete(data.id);
  };
}
