/** What stands for somebody without a picture: two characters of a Chinese name, initials of others. */
export function initials(name: string): string {
  const words = name.trim().split(/\s+/);
  const han = /\p{Script=Han}/u;
  if (han.test(name)) return letters(name.replace(/\s/g, '')).slice(-2).join('');
  return words
    .slice(0, 2)
    .map(word => letters(word)[0] ?? '')
    .join('')
    .toUpperCase();
}

/** What people see as one: an astronaut is three characters, an é may be two. */
function letters(text: string): string[] {
  // Firefox has it from version 125 on.
  if (!('Segmenter' in Intl)) return Array.from(text);
  return Array.from(
    new Intl.Segmenter(undefined, { granularity: 'grapheme' }).segment(text),
    one => one.segment,
  );
}

/** A name as part of a meeting's topic, which refuses some characters (S2). */
export const inTopic = (name: string): string => name.replace(/["'<>\\]/g, '').trim();
