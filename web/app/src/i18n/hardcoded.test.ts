import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { expect, it } from 'vitest';
import en from './en.json';

/** What is the same in every language. */
const SAME = new Set(['MB', 'https://', '中文', 'English', '–', '·']);

/** Attributes people read or hear. */
const READ = new Set(['aria-label', 'alt', 'label', 'placeholder', 'title', 'description', 'error']);

/** Where words are put into pages that know no React. */
const SHOWN = new Set(['textContent', 'innerText', 'innerHTML', 'ariaLabel', 'title', 'placeholder', 'alt']);

const read = (folder: string, kinds: RegExp) =>
  readdirSync(join(import.meta.dirname, folder), { recursive: true, encoding: 'utf8' })
    .filter(name => kinds.test(name) && !name.endsWith('.test.ts'))
    .map(name => ({ name, text: readFileSync(join(import.meta.dirname, folder, name), 'utf8') }));

const sources = read('..', /\.tsx?$/);
const watch = read('../../../watch/src', /\.ts$/);

/** Texts that an expression may be, without what is called in it. */
function chosen(node: ts.Expression): string[] {
  if (ts.isStringLiteralLike(node)) return [node.text];
  if (ts.isTemplateExpression(node))
    return [node.head.text, ...node.templateSpans.map(({ literal }) => literal.text)];
  if (ts.isParenthesizedExpression(node)) return chosen(node.expression);
  if (ts.isConditionalExpression(node)) return [...chosen(node.whenTrue), ...chosen(node.whenFalse)];
  if (!ts.isBinaryExpression(node)) return [];
  const isCompared = /^[=!<>]/.test(node.operatorToken.getText());
  return isCompared ? [] : [...chosen(node.left), ...chosen(node.right)];
}

/** Between tags, or in an attribute that people read. */
const isRead = (node: ts.Node): boolean => !ts.isJsxAttribute(node) || READ.has(node.name.getText());

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
    // What is chosen among, as in `{x ? 'Foo' : ''}`.
    if (ts.isJsxExpression(node) && node.expression && isRead(node.parent))
      chosen(node.expression).forEach(keep);
    if (ts.isBinaryExpression(node) && ts.isPropertyAccessExpression(node.left)) {
      if (SHOWN.has(node.left.name.text)) chosen(node.right).forEach(keep);
    }
    if (ts.isCallExpression(node) && /\b(setAttribute|createTextNode)$/.test(node.expression.getText())) {
      const [name, value] = node.arguments;
      if (name && !value) chosen(name).forEach(keep);
      if (name && value && ts.isStringLiteral(name) && READ.has(name.text)) chosen(value).forEach(keep);
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
  expect(found('x.tsx', "<p>{is && 'Foo'}{x === 'bar' ? `Baz ${y}` : ''}</p>")).toEqual(['Foo', 'Baz']);
  expect(found('x.tsx', "<p className={is ? 'foo' : ''} alt={is ? 'Foo' : t('a')} />")).toEqual(['Foo']);
  expect(found('x.ts', "p.textContent = is ? 'Foo' : word('a'); p.setAttribute('alt', 'Bar')")).toEqual([
    'Foo',
    'Bar',
  ]);
  const all = [...sources, ...watch].flatMap(({ name, text }) =>
    found(name, text)
      .filter(word => name !== 'words.ts' && !ALLOWED.has(`${name}: ${word}`))
      .map(word => `${name}: ${word}`),
  );
  expect(all).toEqual([]);
});

/** Texts between the tags of a page, and in attributes that people read; each with the language its element names. */
function textsOf(html: string): { text: string; lang: string }[] {
  const shown = html.replace(/<!--.*?-->|<!\w[^>]*>|<(script|style)\b.*?<\/\1>/gs, '');
  const texts: { text: string; lang: string }[] = [];
  const langs: string[] = [];
  for (const [, slash, tag = '', attributes = '', text = ''] of shown.matchAll(
    /<(\/?)(\w+)([^>]*)>|([^<]+)/g,
  )) {
    const lang = /\blang="([\w-]+)"/.exec(attributes)?.[1] ?? langs.at(-1) ?? '';
    if (slash) langs.pop();
    else if (tag && !/^(meta|link|img|input)$/.test(tag)) langs.push(lang);
    for (const [, name = '', value = ''] of attributes.matchAll(/([\w-]+)="([^"]*)"/g)) {
      if (READ.has(name)) texts.push({ text: value, lang });
    }
    texts.push({ text, lang: langs.at(-1) ?? '' });
  }
  return texts.filter(({ text }) => /\p{L}{2,}/u.test(text) && text.trim() !== '会通');
}

// product: A7
it('has pages that hold no words of their own, but those that come without the client, which say all in both languages', () => {
  const page = (path: string) => readFileSync(join(import.meta.dirname, '../..', path), 'utf8');
  expect(textsOf('<html lang="zh-CN"><p>好的</p><i alt="Oh"/><p lang="en">Yes</p></html>')).toEqual([
    { text: '好的', lang: 'zh-CN' },
    { text: 'Oh', lang: 'zh-CN' },
    { text: 'Yes', lang: 'en' },
  ]);
  for (const path of ['index.html', '../watch/watch.html']) expect(textsOf(page(path)), path).toEqual([]);
  const offline = textsOf(page('public/offline.html'));
  const said = (lang: string) => offline.filter(one => one.lang === lang);
  expect(said('en').length).toBeGreaterThan(0);
  expect(said('zh-CN').length).toBe(said('en').length);
  for (const { text } of said('en')) expect(text).not.toMatch(/\p{Script=Han}/u);
  interface Manifest {
    name: string;
    description: string;
    shortcuts: { name: string; short_name: string }[];
  }
  const { name, description, shortcuts } = JSON.parse(page('public/manifest.webmanifest')) as Manifest;
  const names = shortcuts.flatMap(one => [one.name, one.short_name]);
  for (const text of [name, description, ...names]) expect(text).toMatch(/\p{Script=Han}.*[A-Za-z]{3}/u);
});

/** Texts for people in a script that comes without the client, and the catalogue they stand in; null where they stand in none. */
function saidBy(script: string): { text: string; at: string | null }[] {
  const said: { text: string; at: string | null }[] = [];
  const visit = (node: ts.Node, path: string[]) => {
    const isSaid = ts.isStringLiteralLike(node) && /\p{Script=Han}|^\s*\p{Lu}\p{Ll}/u.test(node.text);
    if (isSaid) said.push({ text: node.text, at: path.length === 2 ? path.join('.') : null });
    const named = ts.isPropertyAssignment(node) ? [node.name.getText().replaceAll("'", '')] : [];
    ts.forEachChild(node, child => visit(child, [...path, ...named]));
  };
  visit(ts.createSourceFile('x.js', script, ts.ScriptTarget.Latest, true, ts.ScriptKind.JS), []);
  return said;
}

// product: A7
it('has scripts that come without the client, which say nothing but what they have in both languages', () => {
  expect(saidBy("p.alt = 'Oh'; q('lower', 'GET'); w = { en: { a: 'Yes' } }")).toEqual([
    { text: 'Oh', at: null },
    { text: 'Yes', at: 'en.a' },
  ]);
  for (const { name, text } of read('../../public', /\.js$/)) {
    expect(
      found(name, text).filter(word => !/\p{Script=Han}/u.test(word)),
      name,
    ).toEqual([]);
    const said = saidBy(text);
    expect(
      said.filter(({ at }) => at === null),
      name,
    ).toEqual([]);
    const keys = (language: string) =>
      said.filter(({ at }) => at?.startsWith(`${language}.`)).map(({ at }) => at?.slice(language.length + 1));
    expect(keys('zh-CN'), name).toEqual(keys('en'));
    for (const { at, text } of said) if (at?.startsWith('en.')) expect(text).not.toMatch(/\p{Script=Han}/u);
  }
});

/** Names of languages stand in their own; the watch page has its own catalogue. */
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
