import { type Meeting, Problem } from '@huitong/sdk';
import * as Y from 'yjs';
import { useNotices } from '../meeting/notices';
import { rest } from '../rest';
import { type Element, newElement, readElement } from './elements';

/** How often what was drawn is sent: as often as others' eyes follow a pen. */
const SEND_MS = 90;

/** What one message holds, in bytes before base64; the server takes 32 KiB of that. */
const UPDATE_BYTES_MAX = 24_000;

/** Points of one pen's element: longer lines go on in another one, so that one undone is one message. */
const PEN_POINTS_MAX = 1_200;

/** An update that says nothing has two bytes. */
const EMPTY_BYTES = 2;

/** What others sent. */
const REMOTE = Symbol('remote');

export type BoardState = 'loading' | 'ready' | 'failed';

export type NewElement = Omit<Element, 'id' | 'order'>;

/** What is to be seen. Never changed, only replaced. */
export interface View {
  readonly state: BoardState;
  /** From below to above. */
  readonly elements: readonly Element[];
}

/**
 * The meeting's whiteboard while one sees it. What one draws is sent at once and again after a lost connection; what the
 * server keeps is fetched when one comes and comes back. Updates merge in any order, so that nothing has to be waited for.
 */
export class Board {
  readonly #meeting: Meeting;
  #doc!: Y.Doc;
  #elements!: Y.Map<unknown>;
  #undo!: Y.UndoManager;
  readonly #listeners = new Set<() => void>();
  /** The line a pen is drawing: its element, what it began as, and how many numbers it has. */
  #pen: { id: string; line: NewElement; points: number } | null = null;
  #queue: Uint8Array[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Elements as they were read last, null for what is none; what changes goes. */
  readonly #known = new Map<string, Element | null>();
  #view: View | null = null;
  #state: BoardState = 'loading';

  constructor(meeting: Meeting) {
    this.#meeting = meeting;
    this.#begin();
  }

  /** With nothing on it. */
  #begin(): void {
    this.#doc = new Y.Doc();
    this.#elements = this.#doc.getMap('elements');
    this.#known.clear();
    this.#pen = null;
    this.#queue = [];
    this.#undo = new Y.UndoManager(this.#elements, { captureTimeout: Infinity });
    this.#elements.observeDeep(events => {
      for (const event of events) {
        const [id] = event.path;
        if (typeof id === 'string') this.#known.delete(id);
        else for (const key of event.changes.keys.keys()) this.#known.delete(key);
      }
      this.#changed();
    });
    this.#doc.on('update', (update: Uint8Array, origin: unknown) => {
      if (origin !== REMOTE) this.#send(update);
    });
  }

  /** Follows the meeting, as long as one sees the whiteboard; gives back what ends it. */
  open(): () => void {
    const meeting = this.#meeting;
    let phase = meeting.state.phase;
    const ends = [
      meeting.on('drawn', ({ update }) => this.#apply(update)),
      meeting.on('whiteboardLong', upto => void this.#rewrite(upto)),
      meeting.on('change', state => {
        if (state.phase === 'joined' && phase !== 'joined') void this.load();
        ({ phase } = state);
      }),
    ];
    void this.load();
    return () => {
      // What the pen has just drawn still goes.
      this.#flush();
      for (const end of ends) end();
    };
  }

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  view = (): View => {
    this.#view ??= {
      state: this.#state,
      elements: [...this.#elements.entries()]
        .flatMap(([id, value]) => this.#element(id, value) ?? [])
        .sort((a, b) => a.order - b.order || (a.id < b.id ? -1 : 1)),
    };
    return this.#view;
  };

  get elements(): readonly Element[] {
    return this.view().elements;
  }

  #element(id: string, value: unknown): Element | null {
    const known = this.#known.get(id);
    if (known !== undefined) return known;
    const read = readElement(id, value);
    this.#known.set(id, read);
    return read;
  }

  add(element: NewElement): string {
    // Made of the document's own client number: unlike for two who draw at once.
    const id = `${this.#doc.clientID.toString(36)}-${Date.now().toString(36)}-${this.#elements.size}`;
    const order = (this.elements.at(-1)?.order ?? 0) + 1;
    this.#elements.set(id, newElement({ ...element, order }));
    return id;
  }

  /** What follows is undone by itself: a new line, a new place of the eraser. */
  begin(): void {
    this.#undo.stopCapturing();
  }

  /** A line begins. */
  putPenDown(line: NewElement): void {
    this.begin();
    this.#pen = { id: this.add(line), line, points: line.points.length };
  }

  /** The line goes on, if there is one. */
  movePen(x: number, y: number): void {
    if (!this.#pen) return;
    this.#extend(this.#pen.id, [x, y]);
    this.#pen.points += 2;
    if (this.#pen.points >= PEN_POINTS_MAX) this.putPenDown({ ...this.#pen.line, points: [x, y] });
  }

  takePenUp(): void {
    this.#pen = null;
  }

  #extend(id: string, points: number[]): void {
    const list = (this.#elements.get(id) as Y.Map<unknown> | undefined)?.get('points');
    if (list instanceof Y.Array) (list as Y.Array<number>).push(points);
  }

  erase(id: string): void {
    this.#elements.delete(id);
  }

  /** All of it, in pieces that are small enough to be sent. */
  clear(): void {
    for (const { id } of this.elements) this.erase(id);
    // Brought back at once it would be too long for a message.
    this.#undo.clear();
  }

  undo(): void {
    this.#undo.undo();
  }

  redo(): void {
    this.#undo.redo();
  }

  async load(): Promise<void> {
    const seat = this.#meeting.resume;
    if (!seat) return;
    try {
      const { updates } = await rest.whiteboard(this.#meeting.state.meeting.id, seat);
      const theirs = new Y.Doc();
      for (const update of updates) {
        this.#apply(update);
        this.#apply(update, theirs);
      }
      const missing = Y.encodeStateAsUpdate(this.#doc, Y.encodeStateVector(theirs));
      theirs.destroy();
      this.#state = 'ready';
      this.#changed();
      if (missing.length > EMPTY_BYTES) this.#send(missing);
    } catch {
      // While the connection is lost it is tried again by its coming back.
      if (this.#state === 'loading') this.#state = 'failed';
      this.#changed();
    }
  }

  #apply(update: Uint8Array, doc = this.#doc): void {
    try {
      Y.applyUpdate(doc, update, REMOTE);
    } catch {
      // Somebody's client sent what is no update: it harms nobody.
    }
  }

  #send(update: Uint8Array): void {
    this.#queue.push(update);
    this.#timer ??= setTimeout(() => this.#flush(), SEND_MS);
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#queue.length === 0) return;
    const together = Y.mergeUpdates(this.#queue);
    const pieces = together.length <= UPDATE_BYTES_MAX ? [together] : this.#queue;
    this.#queue = [];
    const board = this.#doc;
    for (const piece of pieces) {
      this.#meeting.draw(piece).catch((thrown: unknown) => {
        const problem = Problem.from(thrown);
        // What is not taken now is found missing when one has come back.
        if (problem.code === 'whiteboard_full' && board === this.#doc) this.#refuse(problem);
      });
    }
  }

  /** There was no room for what one has drawn: nobody else sees it, and so it is not shown here either. */
  #refuse(problem: Problem): void {
    useNotices.getState().tellProblem(problem);
    this.#doc.destroy();
    this.#begin();
    void this.load();
  }

  async #rewrite(upto: number): Promise<void> {
    const seat = this.#meeting.resume;
    if (this.#state !== 'ready' || !seat) return;
    const { id } = this.#meeting.state.meeting;
    // If it can't be, somebody else is asked.
    await rest.rewriteWhiteboard(id, seat, upto, Y.encodeStateAsUpdate(this.#doc)).catch(() => undefined);
  }

  #changed(): void {
    this.#view = null;
    for (const listener of this.#listeners) listener();
  }
}
