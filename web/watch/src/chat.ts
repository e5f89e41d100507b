import type { News, Said } from './feed';
import { byline, made, written } from './lines';
import { word } from './words';

/** What viewers write while a livestream is on; its replay shows none of it. */

/** As many as the server hands out. */
const SAID_MAX = 200;

/** Further from the end than this, somebody is reading what was said before. */
const AT_END_PX = 48;

/** What is there after the news. */
export function withNews(said: readonly Said[], news: News): readonly Said[] {
  const known = new Set(said.map(({ id }) => id));
  const all = [...said, ...news.messages.filter(({ id }) => !known.has(id))];
  return all.filter(({ id }) => !news.removed.includes(id)).slice(-SAID_MAX);
}

export class Chat {
  private said: readonly Said[] = [];

  constructor(
    private readonly parts: { list: HTMLElement; empty: HTMLElement },
    private readonly me: () => string | null,
  ) {}

  clear(): void {
    this.said = [];
    this.parts.list.replaceChildren();
  }

  render(): void {
    const { list, empty } = this.parts;
    list.setAttribute('aria-label', word('chat'));
    empty.textContent = word('chatEmpty');
    empty.hidden = this.said.length > 0;
    for (const badge of list.querySelectorAll<HTMLElement>('.side')) badge.textContent = word('host');
  }

  take(news: News): void {
    const after = withNews(this.said, news);
    if (after.length === this.said.length && news.messages.length === 0) return;
    this.said = after;
    const { list } = this.parts;
    const isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < AT_END_PX;
    const shown = new Map([...list.children].map(line => [(line as HTMLElement).dataset['id'], line]));
    // Lines that stay are left alone: readers of the screen hear new ones only.
    const lines = after.map(said => shown.get(`${said.id}`) ?? this.line(said));
    for (const [id, line] of shown) if (!after.some(said => `${said.id}` === id)) line.remove();
    for (const line of lines) if (!line.isConnected) list.append(line);
    if (isAtEnd) this.toEnd();
  }

  toEnd(): void {
    this.parts.list.scrollTop = this.parts.list.scrollHeight;
  }

  private line(said: Said): HTMLElement {
    const line = made('li', 'said');
    line.dataset['id'] = `${said.id}`;
    line.dataset['testid'] = 'watch-said';
    line.toggleAttribute('data-own', said.from === this.me());
    const by = byline(said.name, said.at_ms);
    if (said.host) by.lastElementChild?.before(made('span', 'side', word('host')));
    line.append(by, written(said.text));
    return line;
  }
}
