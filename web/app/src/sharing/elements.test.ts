import { describe, expect, it } from 'vitest';
import * as Y from 'yjs';
import { type Element, newElement, readElement, touches } from './elements';

const line: Omit<Element, 'id'> = {
  kind: 'line',
  colour: 'red',
  size: 'thin',
  points: [0, 0, 100, 0],
  text: '',
  order: 1,
};

function kept(change: (map: Y.Map<unknown>) => void = () => undefined): Element | null {
  const elements = new Y.Doc().getMap('elements');
  const map = newElement(line);
  elements.set('a', map);
  change(map);
  return readElement('a', elements.get('a'));
}

// product: C20
describe('elements of others', () => {
  it('are read as they were written', () => {
    expect(kept()).toEqual({ id: 'a', ...line });
  });

  it('are nothing where they are none of ours', () => {
    expect(readElement('a', { kind: 'line' })).toBeNull();
    expect(kept(map => map.set('kind', 'script'))).toBeNull();
    expect(kept(map => map.set('colour', 'toString'))).toBeNull();
    expect(kept(map => map.set('points', [0, 0, 1, 1]))).toBeNull();
    for (const point of ['1', Number.NaN, Infinity, 1e9, null]) {
      expect(kept(map => (map.get('points') as Y.Array<unknown>).insert(0, [point]))).toBeNull();
    }
    expect(kept(map => map.set('text', 'x'.repeat(5_000)))?.text).toHaveLength(500);
  });
});

// product: C20
describe('the eraser', () => {
  it('takes what it touches', () => {
    const element = { id: 'a', ...line };
    expect(touches(element, 50, 10)).toBe(true);
    expect(touches(element, 50, 40)).toBe(false);
    const ring: Element = { ...element, kind: 'ellipse', points: [0, 0, 200, 200] };
    expect(touches(ring, 200, 100)).toBe(true);
    expect(touches(ring, 100, 100)).toBe(false);
    const text: Element = { ...element, kind: 'text', text: '会通' };
    expect(touches(text, 20, 20)).toBe(true);
    expect(touches(text, 20, 200)).toBe(false);
  });
});
