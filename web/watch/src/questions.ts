import type { News, Question } from './feed';
import { byline, made, written } from './lines';
import { word } from './words';

/** What viewers ask, and how many of them want it answered. */

/** What is there after the news: what most want to know first, what is answered last. */
export function asked(questions: readonly Question[], news: News): readonly Question[] {
  const all = new Map(questions.map(question => [question.id, question]));
  for (const one of news.questions ?? []) {
    const known = all.get(one.id);
    if ('text' in one) all.set(one.id, one);
    else if (known) all.set(one.id, { ...known, ...one });
  }
  for (const id of news.removed) all.delete(id);
  return [...all.values()].sort(
    (a, b) => Number(a.answered) - Number(b.answered) || b.votes - a.votes || a.id - b.id,
  );
}

export class Questions {
  private all: readonly Question[] = [];
  /** Those one wants answered; the server tells nobody. */
  private voted = new Set<number>();
  /** Where they are kept. */
  private kept = '';

  constructor(
    private readonly parts: { list: HTMLElement; empty: HTMLElement },
    private readonly me: () => string | null,
    private readonly vote: (question: number, on: boolean) => Promise<boolean>,
  ) {}

  /** Of another livestream, where one's votes are kept by this name. */
  begin(kept: string): void {
    this.kept = kept;
    this.voted = new Set(JSON.parse(sessionStorage.getItem(kept) ?? '[]') as number[]);
  }

  clear(): void {
    this.all = [];
  }

  /** How many wait for an answer. */
  get open(): number {
    return this.all.filter(({ answered }) => !answered).length;
  }

  get isEmpty(): boolean {
    return this.all.length === 0;
  }

  take(news: News): void {
    this.all = asked(this.all, news);
  }

  render(): void {
    const { list, empty } = this.parts;
    list.setAttribute('aria-label', word('questions'));
    empty.textContent = word('questionsEmpty');
    empty.hidden = !this.isEmpty;
    const shown = new Map([...list.children].map(line => [(line as HTMLElement).dataset['id'], line]));
    const lines = this.all.map(question => {
      const line = (shown.get(`${question.id}`) as HTMLElement | undefined) ?? this.line(question);
      this.refresh(line, question);
      return line;
    });
    for (const line of list.children) if (!lines.includes(line as HTMLElement)) line.remove();
    // Only what has another place is moved, so that a button keeps the focus while others are voted for.
    lines.forEach((line, at) => {
      if (list.children[at] !== line) list.insertBefore(line, list.children[at] ?? null);
    });
  }

  private line(question: Question): HTMLElement {
    const line = made('li', 'question');
    line.dataset['id'] = `${question.id}`;
    line.dataset['testid'] = 'watch-question';
    const body = made('div', 'asked');
    body.append(byline(question.name, question.at_ms), written(question.text), made('p', 'answered'));
    const button = made('button', 'up');
    button.type = 'button';
    button.dataset['testid'] = 'watch-vote';
    button.onclick = () => void this.toggle(question.id);
    line.append(button, body);
    return line;
  }

  private refresh(line: HTMLElement, { id, from, text, votes, answered }: Question): void {
    const isMine = from === this.me();
    const isVoted = isMine || this.voted.has(id);
    line.toggleAttribute('data-own', isMine);
    line.toggleAttribute('data-answered', answered);
    const note = line.querySelector<HTMLElement>('.answered');
    if (note) {
      note.hidden = !answered;
      note.textContent = word('answered');
    }
    const button = line.querySelector<HTMLButtonElement>('.up');
    if (!button) return;
    button.textContent = `▲ ${votes}`;
    button.disabled = answered || isMine;
    button.setAttribute('aria-pressed', `${isVoted}`);
    // What is read aloud begins with what is to be seen.
    button.setAttribute('aria-label', `${button.textContent} ${word('voteFor')}: ${text}`);
  }

  private async toggle(id: number): Promise<void> {
    const on = !this.voted.has(id);
    if (!(await this.vote(id, on))) return;
    if (on) this.voted.add(id);
    else this.voted.delete(id);
    sessionStorage.setItem(this.kept, JSON.stringify([...this.voted]));
    // Counted at once for who looks on; the server's sum comes with the next news.
    this.all = this.all.map(one => (one.id === id ? { ...one, votes: one.votes + (on ? 1 : -1) } : one));
    this.render();
  }
}
