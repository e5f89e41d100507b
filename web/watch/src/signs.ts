import { type May, type News, REACTIONS, type Reaction, type Sums } from './feed';
import { drawn, made } from './lines';
import { word } from './words';

/** What viewers say without words: reactions, which rise over the picture, and the raised hand. */

/** A hand is up for a minute: who means it longer says so again. */
const AGAIN_MS = 20_000;

/** As many rise at once: more would hide the picture. */
const RISING_MAX = 12;

/** How long one rises. */
const RISING_MS = 2_600;

/** What rises after the news: one of each kind, and the others in proportion where they are many. */
export function rising(before: Sums, after: Sums): Reaction[] {
  const fresh = after.flatMap(({ reaction, count }) => {
    const known = before.find(sum => sum.reaction === reaction)?.count ?? 0;
    return count > known ? [{ reaction, count: count - known }] : [];
  });
  const all = fresh.reduce((sum, { count }) => sum + count, 0);
  const share = Math.min(1, RISING_MAX / all);
  const more = fresh.flatMap(({ reaction, count }) =>
    Array.from({ length: Math.floor((count - 1) * share) }, () => reaction),
  );
  return [...fresh.map(({ reaction }) => reaction), ...more].slice(0, RISING_MAX);
}

interface Parts {
  row: HTMLElement;
  hand: HTMLButtonElement;
  rising: HTMLElement;
}

export class Signs {
  private sums: Sums = [];
  private isUp = false;
  private timer: ReturnType<typeof setInterval> | undefined;
  private readonly buttons: HTMLButtonElement[];

  constructor(
    private readonly parts: Parts,
    private readonly me: () => string | null,
    private readonly react: (reaction: Reaction) => Promise<boolean>,
    private readonly raise: (up: boolean) => Promise<boolean>,
  ) {
    this.buttons = REACTIONS.map(reaction => {
      const button = made('button', 'sign');
      button.append(drawn(reaction));
      button.type = 'button';
      button.dataset['testid'] = `watch-react-${reaction}`;
      button.onclick = () => void this.react(reaction);
      return button;
    });
    parts.hand.before(...this.buttons);
    parts.hand.onclick = () => void this.toggle();
  }

  get isHandUp(): boolean {
    return this.isUp;
  }

  clear(): void {
    this.sums = [];
    this.lower();
  }

  take({ reactions, lowered = [] }: News, isNew: boolean): void {
    if (reactions) {
      // What was said before one came is not said again.
      if (!isNew) this.rise(rising(this.sums, reactions));
      this.sums = reactions;
    }
    const me = this.me();
    if (!isNew && me && lowered.includes(me)) this.lower();
  }

  render(may: May): void {
    const { row, hand } = this.parts;
    row.setAttribute('aria-label', word('signs'));
    row.hidden = !may.reactions && !may.hands;
    REACTIONS.forEach((reaction, at) => {
      const button = this.buttons[at];
      if (!button) return;
      button.hidden = !may.reactions;
      button.title = word(reaction);
      button.setAttribute('aria-label', word(reaction));
    });
    if (!may.hands) this.lower();
    hand.hidden = !may.hands;
    this.show();
  }

  private async toggle(): Promise<void> {
    const isUp = !this.isUp;
    if (!(await this.raise(isUp))) return;
    if (!isUp) return this.lower();
    this.isUp = true;
    clearInterval(this.timer);
    this.timer = setInterval(() => void this.raise(true), AGAIN_MS);
    this.show();
  }

  /** The hand is down, whoever took it. */
  lower(): void {
    clearInterval(this.timer);
    if (!this.isUp) return;
    this.isUp = false;
    this.show();
  }

  private show(): void {
    const { hand } = this.parts;
    hand.setAttribute('aria-pressed', `${this.isUp}`);
    hand.replaceChildren(drawn('hand'), word(this.isUp ? 'handDown' : 'handUp'));
  }

  private rise(reactions: readonly Reaction[]): void {
    reactions.forEach((reaction, at) => {
      const one = made('span', 'riser');
      one.append(drawn(reaction));
      one.dataset['testid'] = 'watch-riser';
      one.style.left = `${4 + ((at * 37 + Math.random() * 20) % 88)}%`;
      one.style.animationDelay = `${at * 90}ms`;
      this.parts.rising.append(one);
      setTimeout(() => one.remove(), RISING_MS + at * 90);
    });
  }
}
