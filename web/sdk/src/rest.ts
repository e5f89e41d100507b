import { Problem } from './problem';
import type { ProblemBody } from './protocol';

export interface Account {
  id: string;
  name: string;
  display_name: string;
  site: string;
}

/** A meeting as its owner sees it. */
export interface OwnMeeting {
  id: string;
  number: string;
  title: string;
  password: string | null;
  state: string;
  dial: {
    /** Address for SIP phones and room systems. */
    sip: string;
    /** What to key in at once after the call is answered. */
    one_touch: string;
  };
  /** For invitations. */
  link: string;
}

/** A meeting as anyone sees it who knows its number. */
export interface Door {
  id: string;
  number: string;
  title: string;
  needs_password: boolean;
  state: string;
}

export interface BroadcastInfo {
  id: string;
  title: string;
  /** `live` when the playlist can be fetched. */
  state: string;
  playlist: string;
}

export interface Info {
  version: string;
  sip: { host: string; udp: number | null; tcp: number | null };
  languages: string[];
}

/** The REST API, as `docs/reference/api.md` has it. */
export class Rest {
  readonly #server: string;
  /** Language of problems, as a BCP 47 tag. */
  language: string | undefined;

  constructor(options: { server?: string; language?: string } = {}) {
    this.#server = options.server ?? '';
    this.language = options.language;
  }

  async login(name: string, password: string): Promise<Account> {
    const { account } = await this.#ask<{ account: Account }>('POST', '/login', { name, password });
    return account;
  }

  async logout(): Promise<void> {
    await this.#ask('POST', '/logout');
  }

  /** Who is logged in; null for nobody. */
  async me(): Promise<Account | null> {
    try {
      return (await this.#ask<{ account: Account }>('GET', '/me')).account;
    } catch (thrown) {
      if (thrown instanceof Problem && thrown.code === 'not_logged_in') return null;
      throw thrown;
    }
  }

  async meetings(): Promise<OwnMeeting[]> {
    return (await this.#ask<{ items: OwnMeeting[] }>('GET', '/meetings')).items;
  }

  createMeeting(meeting: { title: string; password?: string }): Promise<OwnMeeting> {
    return this.#ask('POST', '/meetings', meeting);
  }

  meetingByNumber(number: string): Promise<Door> {
    return this.#ask('GET', `/meetings/by-number/${encodeURIComponent(number)}`);
  }

  broadcast(id: string): Promise<BroadcastInfo> {
    return this.#ask('GET', `/broadcasts/${encodeURIComponent(id)}`);
  }

  info(): Promise<Info> {
    return this.#ask('GET', '/info');
  }

  async #ask<Answer>(method: string, path: string, body?: unknown): Promise<Answer> {
    const headers = new Headers({ Accept: 'application/json' });
    if (this.language) headers.set('Accept-Language', this.language);
    if (body !== undefined) headers.set('Content-Type', 'application/json');
    let response: Response;
    try {
      response = await fetch(`${this.#server}/api/v1${path}`, {
        method,
        headers,
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
    } catch {
      throw Problem.local('unreachable');
    }
    if (!response.ok) throw await problemOf(response);
    return (response.status === 204 ? undefined : await response.json()) as Answer;
  }
}

async function problemOf(response: Response): Promise<Problem> {
  const wait = Number(response.headers.get('Retry-After') ?? Number.NaN);
  const body: unknown = await response.json().catch(() => null);
  const isProblem = typeof body === 'object' && body !== null && 'code' in body && 'title' in body;
  // What a proxy in between answers is no problem of ours.
  const problem = isProblem ? (body as ProblemBody) : { code: 'failed', title: '' };
  return new Problem(problem, Number.isFinite(wait) ? wait : null);
}
