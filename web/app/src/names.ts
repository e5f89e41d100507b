/** What stands for somebody without a picture: two characters of a Chinese name, initials of others. */
export function initials(name: string): string {
  const words = name.trim().split(/\s+/);
  const han = /\p{Script=Han}/u;
  if (han.test(name)) return Array.from(name.replace(/\s/g, '')).slice(-2).join('');
  return words
    .slice(0, 2)
    .map(word => Array.from(word)[0] ?? '')
    .join('')
    .toUpperCase();
}
