/** Equal tiles in a box. */
export interface Grid {
  columns: number;
  rows: number;
  width: number;
  height: number;
}

/** Widest and narrowest a tile may be: a camera's own form, and what still shows a face in an upright phone. */
const WIDE = 16 / 9;
const NARROW = 4 / 3;

/** The arrangement that shows `count` tiles largest in a box; all lengths in pixels. */
export function gridFor(count: number, width: number, height: number, gap: number): Grid {
  let best: Grid = { columns: 1, rows: Math.max(1, count), width: 0, height: 0 };
  if (width <= 0 || height <= 0) return best;
  for (let columns = 1; columns <= count; columns++) {
    const rows = Math.ceil(count / columns);
    const cellWidth = (width - gap * (columns - 1)) / columns;
    const cellHeight = (height - gap * (rows - 1)) / rows;
    const tileWidth = Math.min(cellWidth, cellHeight * WIDE);
    const tileHeight = Math.min(cellHeight, tileWidth / NARROW);
    if (tileWidth * tileHeight > best.width * best.height) {
      best = { columns, rows, width: Math.floor(tileWidth), height: Math.floor(tileHeight) };
    }
  }
  return best;
}
