import type { ReceivedStats } from './stats';

/** Received pictures that stood still, of all connections: each counts anew. */
export class Freezes {
  /** By the newest statistics. */
  #seen = { count: 0, seconds: 0 };
  readonly #all = { count: 0, ms: 0 };

  /** All there were, where it has become more. */
  count(slots: readonly ReceivedStats[]): { count: number; ms: number } | null {
    const seen = { count: 0, seconds: 0 };
    for (const { freezes, frozen } of slots) {
      seen.count += freezes;
      seen.seconds += frozen;
    }
    const before = this.#seen;
    this.#seen = seen;
    const isNew = seen.count < before.count;
    const count = seen.count - (isNew ? 0 : before.count);
    if (count === 0) return null;
    this.#all.count += count;
    this.#all.ms += Math.max(0, Math.round(1_000 * (seen.seconds - (isNew ? 0 : before.seconds))));
    return this.#all;
  }
}
