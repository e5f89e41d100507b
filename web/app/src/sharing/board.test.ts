import { type Drawn, type Meeting, Problem } from '@huitong/sdk';
import { afterEach, expect, it, vi } from 'vitest';
import * as Y from 'yjs';
import { useNotices } from '../meeting/notices';
import { Board, type NewElement } from './board';
import { newElement } from './elements';

const kept: Uint8Array[] = [];
vi.mock('../rest', () => ({ rest: { whiteboard: () => Promise.resolve({ updates: kept }) } }));

const line = { kind: 'line', colour: 'red', size: 'medium', points: [0, 0, 10, 10], text: '' } as NewElement;

/** What somebody else has drawn. */
function drawnElsewhere(id: string): Uint8Array<ArrayBuffer> {
  const doc = new Y.Doc();
  doc.getMap('elements').set(id, newElement({ ...line, order: 1 }));
  return new Uint8Array(Y.encodeStateAsUpdate(doc));
}

/** A meeting whose whiteboard has room, or none. */
class FakeMeeting {
  readonly state = { phase: 'joined', meeting: { id: 'm' } };
  readonly resume = 'seat';
  isFull = false;
  readonly drawn: Uint8Array[] = [];
  #tell: (drawn: Drawn) => void = () => undefined;

  on(event: string, handler: never): () => void {
    if (event === 'drawn') this.#tell = handler;
    return () => undefined;
  }

  draw(update: Uint8Array): Promise<void> {
    if (this.isFull) return Promise.reject(new Problem({ code: 'whiteboard_full', title: '' }));
    this.drawn.push(update);
    return Promise.resolve();
  }

  tell(update: Uint8Array<ArrayBuffer>): void {
    this.#tell({ by: 'other', number: 1, update });
  }
}

const settle = () => vi.advanceTimersByTimeAsync(200);
afterEach(() => vi.useRealTimers());

// product: C20
it('takes back what the whiteboard had no room for, and says so', async () => {
  vi.useFakeTimers();
  kept.push(drawnElsewhere('theirs'));
  const meeting = new FakeMeeting();
  const board = new Board(meeting as unknown as Meeting);
  board.open();
  await settle();
  const ids = () => board.elements.map(({ id }) => id);
  expect(ids()).toEqual(['theirs']);

  meeting.isFull = true;
  board.putPenDown({ ...line, kind: 'pen' });
  board.movePen(20, 20);
  expect(ids()).toHaveLength(2);
  await settle();
  expect(ids()).toEqual(['theirs']);
  expect(useNotices.getState().shown).toMatchObject([{ problem: { code: 'whiteboard_full' } }]);
  // The line doesn't go on, what others draw is seen, and there may be room again.
  board.movePen(30, 30);
  meeting.tell(drawnElsewhere('newer'));
  expect(ids()).toEqual(['newer', 'theirs']);
  meeting.isFull = false;
  board.add(line);
  await settle();
  expect(meeting.drawn).toHaveLength(1);
  expect(ids()).toHaveLength(3);
});
