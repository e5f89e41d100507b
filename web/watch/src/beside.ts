import { Call, type CallParts } from './call';
import { Chat } from './chat';
import { type Action, Feed, type May, type News, Refused } from './feed';
import { Polls } from './polls';
import { Questions } from './questions';
import { Signs } from './signs';
import { type Word, word } from './words';

/** What stands beside the picture while a livestream is on: chat, questions, polls, reactions and the raised hand. */

const NAME = 'huitong.viewerName';

const TABS = ['chat', 'questions', 'polls'] as const;
type Tab = (typeof TABS)[number];

/** Until the server says otherwise. */
const ALL: May = { chat: true, questions: true, reactions: true, hands: true };

interface Parts {
  main: HTMLElement;
  frame: HTMLElement;
  tabs: HTMLElement;
  said: HTMLElement;
  chatEmpty: HTMLElement;
  questions: HTMLElement;
  questionsEmpty: HTMLElement;
  polls: HTMLElement;
  form: HTMLFormElement;
  name: HTMLInputElement;
  rename: HTMLButtonElement;
  text: HTMLInputElement;
  send: HTMLButtonElement;
  problem: HTMLElement;
  signs: HTMLElement;
  hand: HTMLButtonElement;
  rising: HTMLElement;
  call: CallParts;
}

export class Beside {
  private readonly feed: Feed;
  readonly call: Call;
  private readonly chat: Chat;
  private readonly questions: Questions;
  private readonly polls: Polls;
  private readonly signs: Signs;
  private isOn = false;
  private may = ALL;
  private tab: Tab = 'chat';
  private problem: Word | null = null;

  constructor(
    private readonly parts: Parts,
    viewer: string,
    onStage: (isOn: boolean) => void,
  ) {
    this.feed = new Feed(
      viewer,
      (news, isNew) => this.take(news, isNew),
      () => this.signs.isHandUp,
    );
    const me = () => this.feed.me;
    const act = (action: Action) => this.done(() => this.feed.act(action));
    this.chat = new Chat({ list: parts.said, empty: parts.chatEmpty }, me);
    this.questions = new Questions(
      { list: parts.questions, empty: parts.questionsEmpty },
      me,
      (question, on) => act({ type: 'vote_for', question, on }),
    );
    this.polls = new Polls(parts.polls, (poll, choices) => act({ type: 'vote', poll, choices }));
    this.signs = new Signs(
      { row: parts.signs, hand: parts.hand, rising: parts.rising },
      me,
      reaction => act({ type: 'react', reaction }),
      async up => {
        if (!up) return act({ type: 'lower_hand' });
        const name = this.named();
        return name !== null && (await act({ type: 'raise_hand', name })) && this.keepName(name);
      },
    );
    this.call = new Call(
      parts.call,
      this.feed,
      () => parts.name.value.trim(),
      () => {
        // Who doesn't come has taken his hand down.
        this.signs.lower();
        void act({ type: 'lower_hand' });
      },
      isOn => {
        this.signs.lower();
        onStage(isOn);
      },
    );
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
    for (const tab of TABS) this.button(tab).onclick = () => this.show(tab);
    parts.tabs.onkeydown = event => this.key(event);
  }

  /** What was said, asked and voted belongs to one livestream. */
  setLivestream(id: string): void {
    if (!this.feed.setLivestream(id)) return;
    this.setOn(false);
    this.questions.begin(`huitong.votes.${id}`);
    this.polls.begin(`huitong.polls.${id}`);
  }

  /** Shown while the livestream is on. */
  setOn(isOn: boolean): void {
    if (isOn === this.isOn) return;
    this.isOn = isOn;
    this.parts.frame.hidden = !isOn;
    this.parts.main.toggleAttribute('data-chat', isOn);
    if (!isOn) this.clear();
    this.feed.setOn(isOn);
  }

  render(): void {
    const { frame, form, name, rename, text, send, problem } = this.parts;
    const isThere: Record<Tab, boolean> = {
      chat: true,
      questions: this.may.questions || !this.questions.isEmpty,
      polls: !this.polls.isEmpty,
    };
    if (!isThere[this.tab]) this.tab = 'chat';
    frame.setAttribute('aria-label', word('beside'));
    const counts: Record<Tab, number> = { chat: 0, questions: this.questions.open, polls: this.polls.open };
    for (const tab of TABS) {
      const button = this.button(tab);
      const isShown = tab === this.tab;
      button.hidden = !isThere[tab];
      button.textContent = counts[tab] ? `${word(tab)} ${counts[tab]}` : word(tab);
      button.setAttribute('aria-selected', `${isShown}`);
      button.tabIndex = isShown ? 0 : -1;
      this.page(tab).hidden = !isShown;
    }
    const asks = this.tab === 'questions';
    const mayWrite = asks ? this.may.questions : this.may.chat;
    text.hidden = send.hidden = !mayWrite;
    // Who raises his hand has a name too.
    form.hidden = this.tab === 'polls' || !(mayWrite || this.may.hands);
    const labels = [
      [name, word('yourName')],
      [text, word(asks ? 'ask' : 'write')],
    ] as const;
    for (const [field, label] of labels) {
      field.placeholder = label;
      field.setAttribute('aria-label', label);
    }
    rename.textContent = word('writesAs', name.value);
    send.textContent = word(asks ? 'askSend' : 'send');
    problem.textContent = this.problem ? word(this.problem) : '';
    problem.hidden = !this.problem;
    this.chat.render();
    this.questions.render();
    this.polls.render();
    this.signs.render({ ...this.may, hands: this.may.hands && !this.call.isOn });
    this.call.render();
  }

  private clear(): void {
    this.problem = null;
    this.may = ALL;
    for (const part of [this.chat, this.questions, this.polls, this.signs]) part.clear();
  }

  private take(news: News, isNew: boolean): void {
    if (isNew) for (const part of [this.chat, this.questions, this.polls]) part.clear();
    this.may = news.may ?? this.may;
    this.chat.take(news);
    this.questions.take(news);
    this.polls.take(news);
    this.signs.take(news, isNew);
    const { me } = this.feed;
    if (!isNew && me && news.called?.includes(me)) this.call.ask();
    this.render();
  }

  private button(tab: Tab): HTMLButtonElement {
    return this.parts.tabs.querySelector(`#tab-${tab}`) as HTMLButtonElement;
  }

  private page(tab: Tab): HTMLElement {
    return this.parts.frame.querySelector(`#page-${tab}`) as HTMLElement;
  }

  private show(tab: Tab): void {
    this.tab = tab;
    this.problem = null;
    this.render();
    if (tab === 'chat') this.chat.toEnd();
  }

  /** Arrows go from tab to tab (WAI-ARIA, "Tabs Pattern"), and are not the player's then. */
  private key(event: KeyboardEvent): void {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    const there = TABS.filter(tab => !this.button(tab).hidden);
    const next = there[(there.indexOf(this.tab) + step + there.length) % there.length] ?? 'chat';
    this.show(next);
    this.button(next).focus();
  }

  /** What he calls himself; asked for where he has not said. */
  private named(): string | null {
    const name = this.parts.name.value.trim();
    if (name) return name;
    if (this.parts.form.hidden) this.show('chat');
    this.askName(true);
    this.parts.name.focus();
    this.tell('badName');
    return null;
  }

  private keepName(name: string): true {
    localStorage.setItem(NAME, name);
    this.askName(false);
    return true;
  }

  private askName(isAsked: boolean): void {
    this.parts.name.hidden = !isAsked;
    this.parts.rename.hidden = isAsked;
  }

  private async send(): Promise<void> {
    const { text, send } = this.parts;
    const said = text.value.trim();
    if (!said) return;
    const name = this.named();
    if (name === null) return;
    send.disabled = true;
    const asks = this.tab === 'questions';
    const isDone = await this.done(() =>
      asks ? this.feed.act({ type: 'ask', name, text: said }) : this.feed.say(name, said),
    );
    send.disabled = false;
    if (!isDone) return;
    this.keepName(name);
    text.value = '';
    this.render();
    if (!asks) this.chat.toEnd();
    await this.feed.ask();
  }

  /** Does something; if it isn't done, says why. */
  private async done(action: () => Promise<void>): Promise<boolean> {
    try {
      await action();
      this.tell(null);
      return true;
    } catch (thrown) {
      this.tell(thrown instanceof Refused ? thrown.word : 'notSent');
      return false;
    }
  }

  private tell(problem: Word | null): void {
    this.problem = problem;
    this.render();
  }
}
