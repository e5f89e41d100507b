import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { expect, it } from 'vitest';
import en from './en.json';

/** What is the same in every language. */
const SAME = new Set(['MB', 'https://', '中文', 'English', '–', '·']);

/** Attributes people read or hear. */
const READ = new Set(['aria-label', 'alt', 'label', 'placeholder', 'title', 'description', 'error']);

const sources = readdirSync(join(import.meta.dirname, '..'), { recursive: true, encoding: 'utf8' })
  .filter(name => /\.tsx?$/.test(name) && !name.endsWith('.test.ts'))
  .map(name => ({ name, text: readFileSync(join(import.meta.dirname, '..', name), 'utf8') }));

/** Words in the page's code that no catalogue has. */
function found(name: string, text: string): string[] {
  const words: string[] = [];
  const keep = (said: string) => {
    for (const word of said.split(/\s+/)) if (/[\p{L}]{2,}/u.test(word) && !SAME.has(word)) words.push(word);
  };
  const visit = (node: ts.Node) => {
    if (ts.isJsxText(node)) keep(node.text);
    if (ts.isJsxAttribute(node) && node.initializer && ts.isStringLiteral(node.initializer)) {
      if (READ.has(node.name.getText())) keep(node.initializer.text);
    }
    // Chinese is written for people wherever it stands, but in comments.
    if (ts.isStringLiteralLike(node) && /\p{Script=Han}/u.test(node.text)) keep(node.text);
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(name, text, ts.ScriptTarget.Latest, true, ts.ScriptKind.TSX));
  return words;
}

// product: A7
it('says nothing that is not in the catalogues', () => {
  expect(found('x.tsx', '<p title="Oh">Hello {t("a")}</p>')).toEqual(['Oh', 'Hello']);
  const all = sources.flatMap(({ name, text }) =>
    found(name, text)
      .filter(word => !ALLOWED.has(`${name}: ${word}`))
      .map(word => `${name}: ${word}`),
  );
  expect(all).toEqual([]);
});

/** Names of languages stand in their own. */
const ALLOWED = new Set(['i18n/index.ts: 简体中文']);

it('has nothing in the catalogues that nobody says', () => {
  const code = sources.map(({ text }) => text).join('\n');
  const unused = Object.entries(en).flatMap(([part, words]) =>
    typeof words === 'string'
      ? []
      : Object.keys(words)
          .filter(word => !code.includes(`'${part}.${word}'`))
          // What is put together: t(`part.${…}`).
          .filter(() => !code.includes(`\`${part}.`))
          .map(word => `${part}.${word}`),
  );
  expect(unused).toEqual([]);
});
