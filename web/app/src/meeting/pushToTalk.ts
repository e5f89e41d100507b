import type { Meeting } from '@huitong/sdk';
import { attempt, canBeHeard } from './controls';

/** Held one is heard, let go one is muted, however quickly and whatever opens late: as with a walkie-talkie. */
export class PushToTalk {
  readonly #meeting: Meeting;
  #isHeld = false;
  /** Mutes without an answer yet: until it comes one may be told to be heard. */
  #muting = 0;

  constructor(meeting: Meeting) {
    this.#meeting = meeting;
  }

  get isHeld(): boolean {
    return this.#isHeld;
  }

  /** Whether one talks now; whoever is heard anyway has nothing to hold, and is not muted afterwards. */
  hold(): boolean {
    if (this.#isHeld) return true;
    if (!this.#meeting.me?.muted && this.#muting === 0) return false;
    this.#isHeld = true;
    void this.#unmute();
    return true;
  }

  release(): void {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    this.#muting++;
    // The unmute may still be on its way: this comes after it.
    void attempt(() => this.#meeting.mute()).finally(() => this.#muting--);
  }

  async #unmute(): Promise<void> {
    if (!(await canBeHeard()) || !this.#isHeld) return;
    await attempt(() => this.#meeting.unmute());
  }
}

/** Where Space is a letter. */
const TYPED = 'input, textarea, select, [contenteditable]';

/** What Space presses. */
const PRESSED = 'button, [role=button], summary';

/** Talks while Space is held, where it is nobody else's key; gives back what ends it. */
export function talkBySpace(meeting: Meeting, isCovered: () => boolean): () => void {
  const talk = new PushToTalk(meeting);
  // What was clicked keeps the focus and is done with; a button the tabulator came to is still to be pressed.
  let isWalking = false;
  const down = (event: KeyboardEvent) => {
    if (event.code === 'Tab') isWalking = true;
    if (event.code !== 'Space' || event.ctrlKey || event.altKey || event.metaKey) return;
    if (talk.isHeld) return event.preventDefault();
    const at = event.target instanceof Element ? event.target : document.body;
    if (at.closest(TYPED) || isCovered()) return;
    // A button is pressed by a touch of the key; held on it, the key is no press.
    if (event.repeat !== (isWalking && at.closest(PRESSED) !== null)) return;
    if (talk.hold()) event.preventDefault();
  };
  const up = (event: KeyboardEvent) => {
    if (event.code !== 'Space' || !talk.isHeld) return;
    // Firefox would press the button now.
    event.preventDefault();
    talk.release();
  };
  const stop = new AbortController();
  const { signal } = stop;
  document.addEventListener('keydown', down, { signal });
  document.addEventListener('keyup', up, { signal });
  document.addEventListener('pointerdown', () => (isWalking = false), { signal, capture: true });
  // Whoever is elsewhere lets go there, and nobody hears of it here.
  window.addEventListener('blur', () => talk.release(), { signal });
  document.addEventListener('visibilitychange', () => talk.release(), { signal });
  return () => {
    stop.abort();
    talk.release();
  };
}
