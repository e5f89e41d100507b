import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

/** How light an sRGB colour is (WCAG 2.2, "relative luminance"): 0 to 1. */
function luminance(rgb: readonly number[]): number {
  const [red = 0, green = 0, blue = 0] = rgb.map(part =>
    part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4,
  );
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(a: readonly number[], b: readonly number[]): number {
  const [dark = 0, light = 0] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (light + 0.05) / (dark + 0.05);
}

/** The parts of `hsl()`, 0 to 1 (CSS Color 4, §7.1). */
function hsl(hue: number, saturation: number, lightness: number): number[] {
  return [0, 8, 4].map(n => {
    const k = (n + hue / 30) % 12;
    return (
      lightness - saturation * Math.min(lightness, 1 - lightness) * Math.max(-1, Math.min(k - 3, 9 - k, 1))
    );
  });
}

const hex = (colour: string) => [1, 3, 5].map(at => parseInt(colour.slice(at, at + 2), 16) / 255);
const HUES = Array.from({ length: 3600 }, (_, tenth) => tenth / 10);

describe('a colour of one’s own', () => {
  // What a name is painted in is chance: a name nobody can read would be found by whoever has it.
  it.each([
    ['light', 0, '#ffffff'],
    ['dark', 1, '#2a3238'],
  ])('can be read in the chat, whoever has it: %s', (_, scheme, background) => {
    const css = readFileSync(new URL('./Chat.module.css', import.meta.url), 'utf8');
    const lightness = [...css.matchAll(/--name-light: (\d+)%/g)].map(([, percent]) => Number(percent) / 100);
    expect(lightness).toHaveLength(2);
    const worst = Math.min(
      ...HUES.map(hue => contrast(hsl(hue, 0.45, lightness[scheme] ?? 0), hex(background))),
    );
    expect(worst).toBeGreaterThan(4.5);
  });
});
