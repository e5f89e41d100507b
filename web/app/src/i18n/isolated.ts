/** Letters that run from right to left, and the marks that turn others around. */
const TURNS =
  /[\u0590-\u08ff\u200f\u202a-\u202e\u2066-\u2069\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;

/** FIRST STRONG ISOLATE and POP DIRECTIONAL ISOLATE, as `<bdi>` does where there are elements. */
const [ISOLATE, POP] = ['\u2068', '\u2069'];

/** A name to be put among words of ours: written from right to left it would pull its neighbours along. */
export function isolated(text: string): string {
  return TURNS.test(text) ? `${ISOLATE}${text}${POP}` : text;
}
