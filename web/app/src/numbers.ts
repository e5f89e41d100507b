import type { Info } from '@huitong/sdk';

/** Digits of a meeting number. */
const LENGTH = 9;

/** The digits of what somebody typed or pasted: a number with or without spaces, or an invitation's link. */
export function digitsOf(text: string): string {
  const link = /\/j\/(\d+)/.exec(text);
  return (link?.[1] ?? text.replace(/\D/g, '')).slice(0, LENGTH);
}

export function isComplete(digits: string): boolean {
  return digits.length === LENGTH;
}

/** As it is read aloud: in threes. */
export function inThrees(digits: string): string {
  return digits.replace(/(\d{3})(?=\d)/g, '$1 ');
}

/** How much a file takes, in the unit people expect of one. */
export function sizeIn(language: string, bytes: number): string {
  const [unit, one] = bytes < 1e5 ? ['kilobyte', 1e3] : bytes < 1e9 ? ['megabyte', 1e6] : ['gigabyte', 1e9];
  return new Intl.NumberFormat(language, { style: 'unit', unit, maximumFractionDigits: 1 }).format(
    bytes / one,
  );
}

/** How long something took: hours and whole minutes, and less than one in seconds. */
export function inUnits(ms: number, language: string): string {
  const minutes = Math.floor(ms / 60_000);
  const parts: [number, string][] =
    minutes === 0
      ? [[Math.floor(ms / 1_000), 'second']]
      : [
          [Math.floor(minutes / 60), 'hour'],
          [minutes % 60, 'minute'],
        ];
  const said = parts
    .filter(([value]) => value > 0 || parts.length === 1)
    .map(([value, unit]) =>
      new Intl.NumberFormat(language, { style: 'unit', unit, unitDisplay: 'long' }).format(value),
    );
  return new Intl.ListFormat(language, { style: 'long', type: 'unit' }).format(said);
}

/** The way to a meeting's door: the password stands in the fragment, which no server and no log sees. */
export function joinPath(digits: string, password: string | null | undefined): string {
  return `/j/${digits}${password ? `#p=${encodeURIComponent(password)}` : ''}`;
}

/** A link that lets in whoever has it, as invitations have it; this page's own address until the server has told its. */
export function joinLink(info: Info | null, digits: string, password: string | null | undefined): string {
  return `${info?.web ?? location.origin}${joinPath(digits, password)}`;
}

/** The password of such a link's fragment. */
export function passwordOf(fragment: string): string | undefined {
  return new URLSearchParams(fragment.replace(/^#/, '')).get('p') ?? undefined;
}
