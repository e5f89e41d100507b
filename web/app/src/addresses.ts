/** The host of a web address, for people; the whole of what is none. */
export function hostOf(address: string): string {
  try {
    return new URL(address).host || address;
  } catch {
    return address;
  }
}

/** Digits of the longest telephone number (E.164 §6.1). */
const DIGITS_MAX = 15;

/** The mail addresses of a list. */
export const mailsIn = (text: string): string[] => text.split(/[\s,;，；、]+/u).filter(Boolean);

/** The telephone numbers of a list: `138 1234 5678` is one, and two whole ones with nothing but a space between are two. */
export function phonesIn(text: string): string[] {
  const lines = text.split(/[\n,;，；、]+/u).map(one => one.trim());
  const isOne = (line: string) => line.replace(/\D/g, '').length <= DIGITS_MAX;
  return lines.flatMap(line => (isOne(line) ? [line] : line.split(/\s+/u))).filter(Boolean);
}
