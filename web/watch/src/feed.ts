import type { Word } from './words';

/** What is new for viewers, asked for again and again, and what they do: the server's side of all that stands beside the picture. */

export interface Said {
  id: number;
  from: string;
  name: string;
  text: string;
  at_ms: number;
  /** Of the meeting, and not a viewer. */
  host: boolean;
}

export interface Question {
  id: number;
  from: string;
  name: string;
  text: string;
  at_ms: number;
  votes: number;
  answered: boolean;
}

/** Of a known question only what has changed is told. */
export type QuestionNews = Question | Pick<Question, 'id' | 'votes' | 'answered'>;

export interface Poll {
  id: number;
  question: string;
  choices: readonly { text: string; votes: number }[];
  multiple: boolean;
  open: boolean;
  voters: number;
}

export const REACTIONS = ['clap', 'like', 'heart', 'laugh', 'surprise', 'celebrate'] as const;
export type Reaction = (typeof REACTIONS)[number];

/** How often something was said without words since the livestream began. */
export type Sums = readonly { reaction: Reaction; count: number }[];

/** What viewers may do. */
export interface May {
  chat: boolean;
  questions: boolean;
  reactions: boolean;
  hands: boolean;
}

export interface News {
  revision: number;
  messages: readonly Said[];
  /** Messages and questions that are there no more. */
  removed: readonly number[];
  questions?: readonly QuestionNews[];
  polls?: readonly Poll[];
  reactions?: Sums;
  may?: May;
  /** Whose hands a host has taken down. */
  lowered?: readonly string[];
  /** Whom a host calls up. */
  called?: readonly string[];
}

/** What lets one into the meeting: a seat that is kept for a minute. */
export interface Seat {
  meeting: string;
  resume: string;
}

export type Action =
  | { type: 'ask'; name: string; text: string }
  | { type: 'vote_for'; question: number; on: boolean }
  | { type: 'vote'; poll: number; choices: readonly number[] }
  | { type: 'react'; reaction: Reaction }
  | { type: 'raise_hand'; name: string }
  | { type: 'lower_hand' };

interface Known {
  from: string;
}

/** How often it is looked for something new: as far behind as the picture is. */
const ASK_MS = 2_000;

const REFUSALS: Record<string, Word> = {
  too_fast: 'tooFast',
  bad_name: 'badName',
  bad_text: 'badText',
  not_live: 'chatOver',
  too_many: 'tooMany',
  not_allowed: 'notAllowed',
  no_such_poll: 'pollOver',
  no_such_question: 'questionOver',
  not_called: 'callOver',
  full: 'meetingFull',
  removed: 'removed',
};

/** Why something isn't done, in a word of the page's. */
export class Refused extends Error {
  constructor(readonly word: Word) {
    super(word);
  }
}

export class Feed {
  private address = '';
  private revision = 0;
  private isOn = false;
  private timer: ReturnType<typeof setTimeout> | undefined;
  /** What others know this viewer by, once he has done something. */
  me: string | null = null;

  constructor(
    private readonly viewer: string,
    /** `isNew`: what was told before is void. */
    private readonly tell: (news: News, isNew: boolean) => void,
    /** He waits for something of it though he doesn't look. */
    private readonly isAwaited: () => boolean,
  ) {
    document.addEventListener('visibilitychange', () => this.goOn());
  }

  /** Each livestream of a meeting has its own. Before it is on; whether it is another. */
  setLivestream(id: string): boolean {
    const address = `/live/${encodeURIComponent(id)}`;
    if (address === this.address) return false;
    this.address = address;
    this.me = sessionStorage.getItem(address);
    return true;
  }

  /** While the livestream is on. */
  setOn(isOn: boolean): void {
    if (isOn === this.isOn) return;
    this.isOn = isOn;
    this.revision = 0;
    this.goOn();
  }

  async say(name: string, text: string): Promise<void> {
    this.know(await this.post<Known>('chat', { name, text }));
  }

  async act(action: Action): Promise<void> {
    this.know(await this.post<Known>('actions', { action }));
  }

  /** Takes a host's call. */
  comeUp(name: string): Promise<Seat> {
    return this.post<Seat>('stage', { name });
  }

  async ask(): Promise<void> {
    clearTimeout(this.timer);
    try {
      const response = await fetch(`${this.address}/chat?since=${this.revision}`);
      if (response.ok && this.isOn) this.take((await response.json()) as News);
    } catch {
      // The picture says that the server is out of reach.
    }
    clearTimeout(this.timer);
    if (this.isOn) this.timer = setTimeout(() => this.goOn(), ASK_MS);
  }

  private goOn(): void {
    clearTimeout(this.timer);
    // Who doesn't look doesn't read; but whose hand is up may be called, or his hand taken down.
    if (this.isOn && (document.visibilityState === 'visible' || this.isAwaited())) void this.ask();
  }

  private take(news: News): void {
    // Begun anew: another livestream, or the same one of a server that was restarted.
    const isNew = news.revision < this.revision || this.revision === 0;
    this.revision = news.revision;
    this.tell(news, isNew);
  }

  private know({ from }: Known): void {
    this.me = from;
    sessionStorage.setItem(this.address, from);
  }

  private async post<Answer>(path: string, body: object): Promise<Answer> {
    const response = await fetch(`${this.address}/${path}`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ viewer: this.viewer, ...body }),
    });
    const answer = (await response.json()) as Answer & { code?: string };
    if (!response.ok) throw new Refused(REFUSALS[answer.code ?? ''] ?? 'notSent');
    return answer;
  }
}
