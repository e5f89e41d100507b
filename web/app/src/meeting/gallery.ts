/** Where everybody has his place in the gallery, and when each was last heard. */
export interface Places {
  order: readonly string[];
  /** By participant, the later the greater. */
  heard: Readonly<Record<string, number>>;
}

export const NO_PLACES: Places = { order: [], heard: {} };

/** What of the gallery is looked at. */
interface Page {
  page: number;
  size: number;
}

/**
 * The places once these people are here and this one speaks: who comes takes the last one. Whoever speaks and isn't on the
 * page that is looked at changes places with him of those on it who has been silent longest; nobody else who is seen moves.
 */
export function placed(
  before: Places,
  ids: readonly string[],
  active: string | null,
  you: string,
  { page, size }: Page,
): Places {
  const here = new Set(ids);
  const kept = before.order.filter(id => here.has(id));
  const known = new Set(kept);
  const order = [...kept, ...ids.filter(id => !known.has(id))];
  const latest = Math.max(0, ...Object.values(before.heard));
  const isNews = active !== null && here.has(active) && (before.heard[active] ?? 0) < Math.max(1, latest);
  const heard = isNews ? { ...before.heard, [active]: latest + 1 } : before.heard;
  const at = active === null ? -1 : order.indexOf(active);
  const [first, last] = [page * size, Math.min(order.length, (page + 1) * size)];
  if (at >= 0 && active !== you && (at < first || at >= last)) {
    // Of those who were never heard the last.
    const silent = order
      .slice(first, last)
      .filter(id => id !== you)
      .reduceRight<string | null>(
        (one, id) => (one !== null && (heard[one] ?? 0) <= (heard[id] ?? 0) ? one : id),
        null,
      );
    if (silent !== null && active !== null) [order[order.indexOf(silent)], order[at]] = [active, silent];
  }
  const isSame = order.length === before.order.length && order.every((id, n) => id === before.order[n]);
  return isSame && heard === before.heard ? before : { order, heard };
}
