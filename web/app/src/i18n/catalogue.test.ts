import { expect, it } from 'vitest';
import en from './en.json';
import zh from './zh-CN.json';

type Catalogue = { [key: string]: string | Catalogue };

function texts(catalogue: Catalogue, prefix = ''): [string, string][] {
  return Object.entries(catalogue).flatMap(([key, value]) =>
    typeof value === 'string'
      ? [[prefix + key, value] as [string, string]]
      : texts(value, `${prefix}${key}.`),
  );
}

const places = (text: string): string[] =>
  [...text.matchAll(/{{(\w+)}}/g)].map(([, name]) => name ?? '').sort();

// product: A7
it('says everything in both languages, with the same things filled in', () => {
  const english = new Map(texts(en));
  const chinese = new Map(texts(zh));
  expect([...english.keys()].sort()).toEqual([...chinese.keys()].sort());
  for (const [key, text] of chinese) {
    expect(text.trim(), key).not.toBe('');
    expect(places(english.get(key) ?? ''), key).toEqual(places(text));
  }
});
