/** Equal tiles in a box. */
export interface Grid {
  columns: number;
  rows: number;
  width: number;
  height: number;
}

/** The widest a tile may be: a camera's own form. */
const WIDE = 16 / 9;

/** The narrowest, in a box that lies and in one that stands: narrower, and a camera that lies loses too much of its sides. */
const NARROW_LYING = 4 / 3;
const NARROW_STANDING = 3 / 4;

/** The arrangement that shows `count` tiles largest in a box; all lengths in pixels. */
export function gridFor(count: number, width: number, height: number, gap: number): Grid {
  let best: Grid = { columns: 1, rows: Math.max(1, count), width: 0, height: 0 };
  if (width <= 0 || height <= 0) return best;
  const narrow = width < height ? NARROW_STANDING : NARROW_LYING;
  for (let columns = 1; columns <= count; columns++) {
    const rows = Math.ceil(count / columns);
    const cellWidth = (width - gap * (columns - 1)) / columns;
    const cellHeight = (height - gap * (rows - 1)) / rows;
    const tileWidth = Math.min(cellWidth, cellHeight * WIDE);
    const tileHeight = Math.min(cellHeight, tileWidth / narrow);
    if (tileWidth * tileHeight > best.width * best.height) {
      best = { columns, rows, width: Math.floor(tileWidth), height: Math.floor(tileHeight) };
    }
  }
  return best;
}
