/** L6: at least so many characters, of so many of the four kinds. */
const LENGTH_MIN = 8;
const KINDS_MIN = 3;
const KINDS = [/\p{Lu}/u, /\p{Ll}/u, /\p{Nd}/u, /[^\p{Lu}\p{Ll}\p{Nd}\s]/u];

/** Whether a password follows the rule; the server has the last word. */
export function isStrong(password: string): boolean {
  const kinds = KINDS.filter(kind => kind.test(password)).length;
  return Array.from(password).length >= LENGTH_MIN && kinds >= KINDS_MIN;
}
