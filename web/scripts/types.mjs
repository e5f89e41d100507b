// Makes sdk/src/protocol.generated.ts of the server's own schema; `--check` only says whether it is up to date.
import { readFile, writeFile } from 'node:fs/promises';
import { compile } from 'json-schema-to-typescript';
import { format, resolveConfig } from 'prettier';

const schema = new URL('../../docs/reference/client-protocol.schema.json', import.meta.url);
const target = new URL('../sdk/src/protocol.generated.ts', import.meta.url);

/** A choice of words, each with its meaning, has a name of its own only as an `enum`. */
function wordsAsEnum(definition) {
  const words = definition.oneOf?.map(word => word.enum ?? [word.const]).flat() ?? [];
  const isWords = words.length > 0 && words.every(word => typeof word === 'string');
  return isWords ? { description: definition.description, enum: words, type: 'string' } : definition;
}

/** A reference beside other words would be written out in place. */
function referencesAlone(node) {
  if (typeof node !== 'object' || node === null) return node;
  if (Array.isArray(node)) return node.map(referencesAlone);
  if ('$ref' in node) return { $ref: node.$ref };
  return Object.fromEntries(Object.entries(node).map(([key, value]) => [key, referencesAlone(value)]));
}

const source = referencesAlone(JSON.parse(await readFile(schema, 'utf8')));
for (const [name, definition] of Object.entries(source.$defs)) source.$defs[name] = wordsAsEnum(definition);
const made = await compile(source, 'ClientProtocol', {
  additionalProperties: false,
  bannerComment:
    '/** The client protocol as the server writes and reads it. Made by `npm run types`; not to be edited. */',
  format: false,
  unreachableDefinitions: true,
});
const text = await format(made, { ...(await resolveConfig(target)), filepath: target.pathname });
if (process.argv.includes('--check')) {
  if (text !== (await readFile(target, 'utf8').catch(() => ''))) {
    console.error('sdk/src/protocol.generated.ts is not what the schema says: npm run types');
    process.exit(1);
  }
} else {
  await writeFile(target, text);
}
