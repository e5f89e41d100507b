import type { News, Poll } from './feed';
import { made } from './lines';
import { currentLanguage, word } from './words';

/** What a host asks viewers too: who has voted, and who comes when it is closed, sees how all did. */

export class Polls {
  private all: readonly Poll[] = [];
  /** What one has chosen, by poll; the server tells nobody. */
  private votes = new Map<number, readonly number[]>();
  /** Where it is kept. */
  private kept = '';

  constructor(
    private readonly list: HTMLElement,
    private readonly vote: (poll: number, choices: readonly number[]) => Promise<boolean>,
  ) {}

  /** Of another livestream, where one's votes are kept by this name. */
  begin(kept: string): void {
    this.kept = kept;
    this.votes = new Map(JSON.parse(sessionStorage.getItem(kept) ?? '[]') as [number, number[]][]);
  }

  clear(): void {
    this.all = [];
  }

  get isEmpty(): boolean {
    return this.all.length === 0;
  }

  /** Those one may still vote in and hasn't. */
  get open(): number {
    return this.all.filter(({ id, open }) => open && !this.votes.has(id)).length;
  }

  take({ polls = [] }: News): void {
    const all = new Map(this.all.map(poll => [poll.id, poll]));
    for (const poll of polls) all.set(poll.id, poll);
    this.all = [...all.values()].sort((a, b) => b.id - a.id);
  }

  render(): void {
    const { list } = this;
    list.setAttribute('aria-label', word('polls'));
    const shown = new Map([...list.children].map(one => [(one as HTMLElement).dataset['id'], one]));
    const all = this.all.map(poll => {
      const isVoting = poll.open && !this.votes.has(poll.id);
      const known = shown.get(`${poll.id}`) as HTMLElement | undefined;
      // What somebody is filling in is not taken from under his hands.
      if (isVoting && known?.dataset['voting'] === currentLanguage()) return known;
      return isVoting ? this.form(poll) : this.results(poll);
    });
    if (all.length !== list.children.length || all.some((one, at) => list.children[at] !== one))
      list.replaceChildren(...all);
  }

  private frame(poll: Poll, tag: 'form' | 'section'): HTMLElement {
    const frame = made(tag, 'poll');
    frame.dataset['id'] = `${poll.id}`;
    frame.dataset['testid'] = 'watch-poll';
    const question = made('h3', 'poll-question', poll.question);
    question.dir = 'auto';
    frame.append(question);
    return frame;
  }

  private form(poll: Poll): HTMLElement {
    const form = this.frame(poll, 'form') as HTMLFormElement;
    form.dataset['voting'] = currentLanguage();
    form.setAttribute('aria-label', poll.question);
    for (const [index, { text }] of poll.choices.entries()) {
      const label = made('label', 'choice');
      const input = made('input', 'mark');
      input.type = poll.multiple ? 'checkbox' : 'radio';
      input.name = 'choice';
      input.value = `${index}`;
      input.dataset['testid'] = 'watch-poll-choice';
      const words = made('span', '', text);
      words.dir = 'auto';
      label.append(input, words);
      form.append(label);
    }
    const button = made('button', 'send', word('vote'));
    button.dataset['testid'] = 'watch-poll-vote';
    form.append(button);
    form.onsubmit = event => {
      event.preventDefault();
      const chosen = [...form.querySelectorAll<HTMLInputElement>('input:checked')].map(({ value }) =>
        Number(value),
      );
      if (chosen.length > 0) void this.send(poll.id, chosen);
    };
    return form;
  }

  private results(poll: Poll): HTMLElement {
    const section = this.frame(poll, 'section');
    const own = this.votes.get(poll.id);
    const percent = new Intl.NumberFormat(currentLanguage(), { style: 'percent' });
    for (const [index, { text, votes }] of poll.choices.entries()) {
      const share = poll.voters ? votes / poll.voters : 0;
      const result = made('div', 'result');
      result.dataset['testid'] = 'watch-poll-result';
      result.dataset['votes'] = `${votes}`;
      result.toggleAttribute('data-own', own?.includes(index) ?? false);
      result.style.setProperty('--share', `${share * 100}%`);
      const words = made('span', '', text);
      words.dir = 'auto';
      result.append(words, made('span', 'figure', `${votes} · ${percent.format(share)}`));
      section.append(result);
    }
    const voters = word('voters', `${poll.voters}`);
    section.append(made('p', 'voters', poll.open ? voters : `${voters} · ${word('pollClosed')}`));
    return section;
  }

  private async send(poll: number, choices: readonly number[]): Promise<void> {
    if (!(await this.vote(poll, choices))) return;
    this.votes.set(poll, choices);
    sessionStorage.setItem(this.kept, JSON.stringify([...this.votes]));
    this.render();
  }
}
