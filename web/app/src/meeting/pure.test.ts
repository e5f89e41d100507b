import type { MeetingState, Participant } from '@huitong/sdk';
import { describe, expect, it } from 'vitest';
import { meter } from '../media/useLevel';
import { initials } from '../names';
import { gridFor } from './grid';
import { gradeOf, isCut } from './quality';
import { hueOf, inPanelOrder, isMeant, spotlight } from './people';

const person = (id: string, more: Partial<Participant> = {}): Participant => ({
  id,
  name: id,
  role: 'member',
  via: 'web',
  number: null,
  muted: false,
  camera: false,
  screen: false,
  hand: false,
  connected: true,
  ...more,
});

// product: C19
describe('the gallery', () => {
  it('shows tiles as large as the box allows, and all of them', () => {
    expect(gridFor(1, 1600, 900, 10)).toEqual({ columns: 1, rows: 1, width: 1600, height: 900 });
    expect(gridFor(2, 1400, 700, 10)).toMatchObject({ columns: 2, rows: 1 });
    expect(gridFor(9, 1400, 780, 10)).toMatchObject({ columns: 3, rows: 3 });
    expect(gridFor(2, 370, 600, 10)).toMatchObject({ columns: 1, rows: 2 });
    for (let count = 1; count <= 25; count++) {
      const { columns, rows, width, height } = gridFor(count, 1200, 700, 10);
      expect(columns * rows).toBeGreaterThanOrEqual(count);
      expect(columns * width + (columns - 1) * 10).toBeLessThanOrEqual(1200);
      expect(rows * height + (rows - 1) * 10).toBeLessThanOrEqual(700);
      expect(width / height).toBeLessThan(1.8);
    }
  });

  it('fills a phone that is held upright', () => {
    for (const count of [2, 4, 5, 6]) {
      const { columns, rows, width, height } = gridFor(count, 370, 600, 10);
      expect(columns, `${count} tiles`).toBe(count === 2 ? 1 : 2);
      expect((rows * height + (rows - 1) * 10) / 600, `${count} tiles`).toBeGreaterThan(0.8);
      expect(width / height, `${count} tiles`).toBeGreaterThanOrEqual(0.74);
    }
    expect(gridFor(3, 370, 600, 10)).toMatchObject({ columns: 1, rows: 3 });
  });

  it('survives a box without room', () => {
    expect(gridFor(4, 0, 0, 10)).toMatchObject({ width: 0, height: 0 });
    expect(gridFor(0, 100, 100, 10)).toMatchObject({ width: 0 });
  });
});

// product: C19
describe('who is shown large', () => {
  const state = (active: string | null, ...ids: string[]) =>
    ({
      you: 'me',
      active,
      meeting: { spotlight: null },
      participants: ids.map(id => person(id)),
    }) as unknown as MeetingState;

  it('is whoever speaks, else whoever spoke last, and never oneself among others', () => {
    expect(spotlight(state('b', 'me', 'a', 'b'), null)).toBe('b');
    expect(spotlight(state(null, 'me', 'a', 'b'), 'b')).toBe('b');
    expect(spotlight(state('me', 'me', 'a', 'b'), 'b')).toBe('b');
    expect(spotlight(state('gone', 'me', 'a'), 'gone')).toBe('a');
    expect(spotlight(state('me', 'me'), 'a')).toBe('me');
  });

  it('is whom the host shows to all, and before that whom one has pinned', () => {
    const shown = state('a', 'me', 'a', 'b', 'c');
    const spotlit = { ...shown, meeting: { spotlight: 'b' } } as MeetingState;
    expect(spotlight(spotlit, null)).toBe('b');
    expect(spotlight(spotlit, null, 'c')).toBe('c');
    expect(spotlight(spotlit, null, 'gone')).toBe('b');
  });
});

describe('the panel', () => {
  it('lists oneself, hosts and raised hands before the others', () => {
    const people = [person('a'), person('b', { hand: true }), person('me'), person('h', { role: 'host' })];
    expect(inPanelOrder(people, 'me').map(({ id }) => id)).toEqual(['me', 'h', 'b', 'a']);
  });

  it('finds whom one looks for by name or number', () => {
    const caller = person('c', { name: '138****5678', number: '138****5678' });
    expect(isMeant(person('Ada King'), ' king')).toBe(true);
    expect(isMeant(caller, '5678')).toBe(true);
    expect(isMeant(person('李雷'), '韩')).toBe(false);
    expect(isMeant(person('李雷'), '')).toBe(true);
  });
});

describe('an avatar', () => {
  it('has two characters of a Chinese name, initials of others', () => {
    expect(initials('韩梅梅')).toBe('梅梅');
    expect(initials('李 雷')).toBe('李雷');
    expect(initials('Ada King Lovelace')).toBe('AK');
    expect(initials('𠮷田')).toBe('𠮷田');
    expect(initials('')).toBe('');
  });

  it('has the same colour everywhere', () => {
    expect(hueOf('a')).toBe(hueOf('a'));
    expect(hueOf('0197-x')).toBeLessThan(360);
  });
});

describe('the level meter', () => {
  it('rests in silence and is full at a shout', () => {
    expect(meter(new Float32Array(1024))).toBe(0);
    expect(meter(new Float32Array(1024).fill(0.9))).toBe(1);
    expect(meter(new Float32Array(1024).fill(0.03))).toBeCloseTo(0.62, 1);
  });
});

describe('the network’s bars', () => {
  const fine = { roundTripMs: 20, lost: 0 };
  it('are never full while nothing comes through', () => {
    const line = { phase: 'joined', sending: true, receiving: true } as const;
    expect(gradeOf(fine, isCut(line, true))).toBe('good');
    expect(gradeOf(fine, isCut({ ...line, phase: 'reconnecting' }, true))).toBe('poor');
    expect(gradeOf(fine, isCut({ ...line, sending: false }, true))).toBe('poor');
    expect(gradeOf(fine, isCut({ ...line, receiving: false }, true))).toBe('poor');
    expect(isCut({ ...line, sending: false, receiving: false }, false)).toBe(false);
  });
});
