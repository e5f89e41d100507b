// Makes the SDK's types of the server's own schemas; `--check` only says whether they are up to date.
import { readFile, writeFile } from 'node:fs/promises';
import { compile } from 'json-schema-to-typescript';
import { format, resolveConfig } from 'prettier';

const docs = new URL('../../docs/reference/', import.meta.url);
const source = new URL('../sdk/src/', import.meta.url);

const MADE = [
  {
    from: 'client-protocol.schema.json',
    to: 'protocol.generated.ts',
    name: 'ClientProtocol',
    says: 'The client protocol as the server writes and reads it.',
  },
  {
    from: 'rest.schema.json',
    to: 'rest.generated.ts',
    name: 'RestApi',
    says: "What the REST API's bodies are.",
    // The components of OpenAPI 3.1 are JSON Schema, at another place. Pieces of lists are one type of the SDK's own.
    definitions: components => ({ $defs: moved(components) }),
    wanted: name => !name.startsWith('Items_'),
  },
];

/** References to OpenAPI's place for schemas, to where JSON Schema has them. */
const moved = node => JSON.parse(JSON.stringify(node).replaceAll('"#/components/schemas/', '"#/$defs/'));

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

for (const { from, to, name, says, definitions = schema => schema, wanted = () => true } of MADE) {
  const schema = referencesAlone(definitions(JSON.parse(await readFile(new URL(from, docs), 'utf8'))));
  const all = Object.entries(schema.$defs).filter(([name]) => wanted(name));
  schema.$defs = Object.fromEntries(all.map(([name, definition]) => [name, wordsAsEnum(definition)]));
  const made = await compile(schema, name, {
    additionalProperties: false,
    bannerComment: `/** ${says} Made by \`npm run types\`; not to be edited. */`,
    format: false,
    unreachableDefinitions: true,
  });
  const target = new URL(to, source);
  const text = await format(made, { ...(await resolveConfig(target)), filepath: target.pathname });
  if (process.argv.includes('--check')) {
    if (text !== (await readFile(target, 'utf8').catch(() => ''))) {
      console.error(`sdk/src/${to} is not what the schema says: npm run types`);
      process.exit(1);
    }
  } else {
    await writeFile(target, text);
  }
}
