import { getStroke } from 'perfect-freehand';
import * as Y from 'yjs';

/*
 * What a whiteboard is made of. Elements come from others' clients: what is no element of ours is not drawn, and nothing
 * else happens.
 */

/** The whiteboard's own points, whatever size it is shown in: a picture of it is a livestream's. */
export const WIDTH = 1920;
export const HEIGHT = 1080;

/** Names of colours, so that each reads well on the white ground; what they are is in the style sheet of the tools. */
export const COLOURS = {
  black: '#1b2327',
  red: '#c92a2a',
  orange: '#d9700b',
  green: '#1f7a4d',
  blue: '#1c62b0',
  purple: '#7a3fb0',
} as const;
export type Colour = keyof typeof COLOURS;

/** Widths of a line, and a third of a letter's height. */
export const SIZES = { thin: 5, medium: 10, thick: 22 } as const;
export type Size = keyof typeof SIZES;

export const KINDS = ['pen', 'line', 'rectangle', 'ellipse', 'text'] as const;
export type Kind = (typeof KINDS)[number];

/** The longest text of one element, in characters. */
export const TEXT_MAX = 500;

export interface Element {
  id: string;
  kind: Kind;
  colour: Colour;
  size: Size;
  /** x and y by turns: of a pen all, of shapes the two ends, of a text its upper left. */
  points: number[];
  text: string;
  /** What is drawn later is above. */
  order: number;
}

const isIn = <Key extends string>(key: unknown, all: Record<Key, unknown>): key is Key =>
  typeof key === 'string' && Object.hasOwn(all, key);

/** Points needed at least, as numbers. */
const POINTS_MIN: Record<Kind, number> = { pen: 2, line: 4, rectangle: 4, ellipse: 4, text: 2 };

/** An element as it stands in the document; null for what is none. */
export function readElement(id: string, value: unknown): Element | null {
  if (!(value instanceof Y.Map)) return null;
  const map = value as Y.Map<unknown>;
  const [kind, colour, size, order, text] = ['kind', 'colour', 'size', 'order', 'text'].map(key =>
    map.get(key),
  );
  if (!isIn(kind, POINTS_MIN) || !isIn(colour, COLOURS) || !isIn(size, SIZES)) return null;
  const list = map.get('points');
  const points = list instanceof Y.Array ? (list as Y.Array<unknown>).toArray() : [];
  const isGood = (point: unknown): point is number =>
    Number.isFinite(point) && Math.abs(point as number) < 1e5;
  if (points.length < POINTS_MIN[kind] || !points.every(isGood)) return null;
  return {
    id,
    kind,
    colour,
    size,
    points,
    text: typeof text === 'string' ? text.slice(0, TEXT_MAX) : '',
    order: typeof order === 'number' && Number.isFinite(order) ? order : 0,
  };
}

export function newElement(element: Omit<Element, 'id'>): Y.Map<unknown> {
  const map = new Y.Map<unknown>();
  const points = new Y.Array<number>();
  points.push(element.points);
  for (const key of ['kind', 'colour', 'size', 'order'] as const) map.set(key, element[key]);
  if (element.text) map.set('text', element.text);
  map.set('points', points);
  return map;
}

const pairs = (points: readonly number[]): [number, number][] =>
  Array.from({ length: points.length >> 1 }, (_, at) => [points[2 * at] ?? 0, points[2 * at + 1] ?? 0]);

/** A pen's outline: the library's curve through its points. */
function outline(points: readonly number[], width: number): Path2D {
  const path = new Path2D();
  const stroke = getStroke(pairs(points), {
    size: width * 1.4,
    thinning: 0.35,
    smoothing: 0.5,
    streamline: 0.35,
  });
  stroke.forEach(([x, y], at) => {
    const [nextX, nextY] = stroke[(at + 1) % stroke.length] ?? [x, y];
    if (at === 0) path.moveTo((x + nextX) / 2, (y + nextY) / 2);
    else path.quadraticCurveTo(x, y, (x + nextX) / 2, (y + nextY) / 2);
  });
  path.closePath();
  return path;
}

/** Outlines are costly: those of pens that don't grow any more are made once. */
const outlines = new WeakMap<readonly number[], Path2D>();

const letters = (size: Size): number => SIZES[size] * 3 + 14;
const LINE_HEIGHT = 1.3;

export function drawElement(
  context: CanvasRenderingContext2D,
  { kind, colour, size, points, text }: Element,
): void {
  const [x = 0, y = 0, endX = x, endY = y] = points;
  context.fillStyle = context.strokeStyle = COLOURS[colour];
  context.lineWidth = SIZES[size];
  context.lineCap = context.lineJoin = 'round';
  context.beginPath();
  switch (kind) {
    case 'pen': {
      const path = outlines.get(points) ?? outline(points, SIZES[size]);
      outlines.set(points, path);
      context.fill(path);
      return;
    }
    case 'line':
      context.moveTo(x, y);
      context.lineTo(endX, endY);
      break;
    case 'rectangle':
      context.rect(Math.min(x, endX), Math.min(y, endY), Math.abs(endX - x), Math.abs(endY - y));
      break;
    case 'ellipse':
      context.ellipse(
        (x + endX) / 2,
        (y + endY) / 2,
        Math.abs(endX - x) / 2,
        Math.abs(endY - y) / 2,
        0,
        0,
        7,
      );
      break;
    case 'text':
      context.font = `${letters(size)}px system-ui, 'PingFang SC', 'Microsoft YaHei', 'Noto Sans CJK SC', sans-serif`;
      context.textBaseline = 'top';
      text.split('\n').forEach((line, at) => context.fillText(line, x, y + at * letters(size) * LINE_HEIGHT));
      return;
  }
  context.stroke();
}

/** How far from a line an eraser still takes it. */
const REACH = 14;

function distance(x: number, y: number, [ax, ay]: [number, number], [bx, by]: [number, number]): number {
  const length = (bx - ax) ** 2 + (by - ay) ** 2;
  const along =
    length === 0 ? 0 : Math.max(0, Math.min(1, ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / length));
  return Math.hypot(x - ax - along * (bx - ax), y - ay - along * (by - ay));
}

/** Whether a point touches what is drawn. */
export function touches({ kind, size, points, text }: Element, x: number, y: number): boolean {
  const [left = 0, top = 0, right = left, bottom = top] = points;
  if (kind === 'text') {
    const lines = text.split('\n');
    const width = Math.max(...lines.map(line => line.length)) * letters(size);
    return (
      x >= left && x <= left + width && y >= top && y <= top + lines.length * letters(size) * LINE_HEIGHT
    );
  }
  const corners: [number, number][] =
    kind === 'rectangle'
      ? [
          [left, top],
          [right, top],
          [right, bottom],
          [left, bottom],
          [left, top],
        ]
      : kind === 'ellipse'
        ? Array.from({ length: 25 }, (_, at) => {
            const angle = (at / 24) * 2 * Math.PI;
            return [
              (left + right) / 2 + (Math.cos(angle) * (right - left)) / 2,
              (top + bottom) / 2 + (Math.sin(angle) * (bottom - top)) / 2,
            ];
          })
        : pairs(points);
  const reach = REACH + SIZES[size] / 2;
  return corners.some((corner, at) => distance(x, y, corner, corners[at + 1] ?? corner) <= reach);
}
