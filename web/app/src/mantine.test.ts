import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import ts from 'typescript';
import { expect, it } from 'vitest';

const MANTINE = dirname(createRequire(import.meta.url).resolve('@mantine/core/styles.css'));

const MODULE = '.module.mjs';

const parse = (name: string) =>
  ts.createSourceFile(name, readFileSync(name, 'utf8'), ts.ScriptTarget.Latest, false, ts.ScriptKind.TSX);

const imports = (name: string) =>
  parse(name).statements.flatMap(one =>
    ts.isImportDeclaration(one) && ts.isStringLiteral(one.moduleSpecifier)
      ? [{ from: one.moduleSpecifier.text, names: one.importClause?.namedBindings }]
      : [],
  );

const namesOf = (bindings?: ts.NamedImportBindings) =>
  bindings && ts.isNamedImports(bindings)
    ? bindings.elements.filter(one => !one.isTypeOnly).map(one => (one.propertyName ?? one.name).text)
    : [];

/** What of Mantine the pages name. */
function used(): Set<string> {
  const files = readdirSync(import.meta.dirname, { recursive: true, encoding: 'utf8' });
  const sources = files.filter(name => /\.tsx?$/.test(name)).map(name => join(import.meta.dirname, name));
  const named = sources.flatMap(imports).filter(({ from }) => from === '@mantine/core');
  return new Set(named.flatMap(({ names }) => namesOf(names)));
}

/** The style sheets of these and of all that they are made of. */
function sheetsOf(names: Set<string>): string[] {
  const seen = new Set<string>();
  const visit = (file: string) => {
    if (seen.has(file)) return;
    seen.add(file);
    if (file.endsWith(MODULE)) return;
    for (const { from } of imports(file)) if (from.startsWith('.')) visit(join(dirname(file), from));
  };
  const index = join(MANTINE, 'esm/index.mjs');
  for (const one of imports(index)) {
    if (namesOf(one.names).some(name => names.has(name))) visit(join(dirname(index), one.from));
  }
  return [...seen].filter(file => file.endsWith(MODULE)).map(file => basename(file, MODULE));
}

it('has the styles of each Mantine component that is shown, and no others, in Mantine’s own order', () => {
  const sheet = (name: string) => join(MANTINE, `styles/${name}.css`);
  const all = readFileSync(join(MANTINE, 'styles.css'), 'utf8');
  const at = (name: string) => all.indexOf(readFileSync(sheet(name), 'utf8').trim());
  const needed = [
    'baseline',
    'default-css-variables',
    'global',
    ...sheetsOf(used()).filter(one => existsSync(sheet(one))),
  ];
  expect(needed).toContain('ModalBase');
  const own = readFileSync(join(import.meta.dirname, 'mantine.css'), 'utf8');
  const imported = [...own.matchAll(/styles\/([\w-]+)\.css/g)].map(([, name]) => name);
  expect(imported).toEqual(needed.sort((a, b) => at(a) - at(b)));
});
