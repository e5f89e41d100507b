import { type Word, currentLanguage, word } from './words';

/** What viewers write while a livestream is on; its replay shows none of it. */

export interface Said {
  id: number;
  from: string;
  name: string;
  text: string;
  at_ms: number;
  /** Of the meeting, and not a viewer. */
  host: boolean;
}

export interface News {
  revision: number;
  messages: readonly Said[];
  removed: readonly number[];
}

/** How often it is looked for something new: as far behind as the picture is. */
const ASK_MS = 2_000;

/** As many as the server hands out. */
const SAID_MAX = 200;

/** Further from the end than this, somebody is reading what was said before. */
const AT_END_PX = 48;

const NAME = 'huitong.viewerName';

const REFUSALS: Record<string, Word> = {
  too_fast: 'tooFast',
  bad_name: 'badName',
  bad_text: 'badText',
  not_live: 'chatOver',
};

/** What is there after the news. */
export function withNews(said: readonly Said[], news: News): readonly Said[] {
  const known = new Set(said.map(({ id }) => id));
  const all = [...said, ...news.messages.filter(({ id }) => !known.has(id))];
  return all.filter(({ id }) => !news.removed.includes(id)).slice(-SAID_MAX);
}

interface Parts {
  main: HTMLElement;
  chat: HTMLElement;
  title: HTMLElement;
  list: HTMLElement;
  empty: HTMLElement;
  form: HTMLFormElement;
  name: HTMLInputElement;
  rename: HTMLButtonElement;
  text: HTMLInputElement;
  send: HTMLButtonElement;
  problem: HTMLElement;
}

export class Chat {
  private address = '';
  private said: readonly Said[] = [];
  private revision = 0;
  private isOn = false;
  /** One's own messages are by this. */
  private me: string | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private problem: Word | null = null;

  constructor(
    private readonly parts: Parts,
    private readonly viewer: string,
  ) {
    parts.name.value = localStorage.getItem(NAME) ?? '';
    this.askName(!parts.name.value);
    parts.rename.onclick = () => {
      this.askName(true);
      parts.name.focus();
    };
    parts.form.onsubmit = event => {
      event.preventDefault();
      void this.send();
    };
    document.addEventListener('visibilitychange', () => this.goOn());
  }

  /** Each livestream of a meeting has a chat of its own. */
  setLivestream(id: string): void {
    const address = `/live/${encodeURIComponent(id)}/chat`;
    if (address === this.address) return;
    this.setOn(false);
    this.address = address;
  }

  /** Shown while the livestream is on. */
  setOn(isOn: boolean): void {
    if (isOn === this.isOn) return;
    this.isOn = isOn;
    this.parts.chat.hidden = !isOn;
    this.parts.main.toggleAttribute('data-chat', isOn);
    if (!isOn) {
      [this.said, this.revision, this.problem] = [[], 0, null];
      this.parts.list.replaceChildren();
    }
    this.goOn();
  }

  render(): void {
    const { chat, title, list, empty, name, rename, text, send, problem } = this.parts;
    title.textContent = word('chat');
    chat.setAttribute('aria-label', word('chat'));
    list.setAttribute('aria-label', word('chat'));
    empty.textContent = word('chatEmpty');
    empty.hidden = this.said.length > 0;
    for (const [field, label] of [
      [name, word('yourName')],
      [text, word('write')],
    ] as const) {
      field.placeholder = label;
      field.setAttribute('aria-label', label);
    }
    rename.textContent = word('writesAs', name.value);
    send.textContent = word('send');
    problem.textContent = this.problem ? word(this.problem) : '';
    problem.hidden = !this.problem;
    for (const badge of list.querySelectorAll<HTMLElement>('.side')) badge.textContent = word('host');
  }

  private goOn(): void {
    clearTimeout(this.timer);
    // Who doesn't look doesn't read.
    if (this.isOn && document.visibilityState === 'visible') void this.ask();
  }

  private async ask(): Promise<void> {
    clearTimeout(this.timer);
    try {
      const response = await fetch(`${this.address}?since=${this.revision}`);
      if (response.ok && this.isOn) this.take((await response.json()) as News);
    } catch {
      // The picture says that the server is out of reach.
    }
    clearTimeout(this.timer);
    if (this.isOn) this.timer = setTimeout(() => this.goOn(), ASK_MS);
  }

  private take(news: News): void {
    // Begun anew: another livestream, or the same one of a server that was restarted.
    const before = news.revision < this.revision ? [] : this.said;
    this.revision = news.revision;
    const after = withNews(before, news);
    if (after.length === before.length && news.messages.length === 0 && before === this.said) return;
    this.said = after;
    const { list } = this.parts;
    const isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < AT_END_PX;
    const shown = new Map([...list.children].map(line => [(line as HTMLElement).dataset['id'], line]));
    // Lines that stay are left alone: readers of the screen hear new ones only.
    const lines = after.map(said => shown.get(`${said.id}`) ?? this.line(said));
    for (const [id, line] of shown) if (!after.some(said => `${said.id}` === id)) line.remove();
    for (const line of lines) if (!line.isConnected) list.append(line);
    if (isAtEnd) list.scrollTop = list.scrollHeight;
    this.render();
  }

  private line(said: Said): HTMLElement {
    const line = document.createElement('li');
    line.className = 'said';
    line.dataset['id'] = `${said.id}`;
    line.dataset['testid'] = 'watch-said';
    line.toggleAttribute('data-own', said.from === this.me);
    const part = (tag: 'span' | 'time' | 'p', className: string, text: string) => {
      const made = document.createElement(tag);
      made.className = className;
      made.textContent = text;
      return made;
    };
    const by = document.createElement('div');
    by.className = 'by';
    const name = part('span', 'name', said.name);
    name.dir = 'auto';
    const at = new Date(said.at_ms);
    const time = part('time', 'at', at.toLocaleTimeString(currentLanguage(), { timeStyle: 'short' }));
    (time as HTMLTimeElement).dateTime = at.toISOString();
    by.append(name, ...(said.host ? [part('span', 'side', word('host'))] : []), time);
    // What somebody wrote is text and nothing else.
    const text = part('p', 'text', said.text);
    text.dir = 'auto';
    line.append(by, text);
    return line;
  }

  private askName(isAsked: boolean): void {
    this.parts.name.hidden = !isAsked;
    this.parts.rename.hidden = isAsked;
  }

  private async send(): Promise<void> {
    const { name, text, send } = this.parts;
    const [called, said] = [name.value.trim(), text.value.trim()];
    if (!said) return;
    if (!called) {
      this.askName(true);
      name.focus();
      this.tell('badName');
      return;
    }
    send.disabled = true;
    try {
      const response = await fetch(this.address, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ viewer: this.viewer, name: called, text: said }),
      });
      const answer = (await response.json()) as { from?: string; code?: string };
      if (!response.ok) {
        this.tell(REFUSALS[answer.code ?? ''] ?? 'notSent');
        return;
      }
      this.me = answer.from ?? null;
      localStorage.setItem(NAME, called);
      text.value = '';
      this.askName(false);
      this.tell(null);
      this.parts.list.scrollTop = this.parts.list.scrollHeight;
      await this.ask();
    } catch {
      this.tell('notSent');
    } finally {
      send.disabled = false;
    }
  }

  private tell(problem: Word | null): void {
    this.problem = problem;
    this.render();
  }
}
