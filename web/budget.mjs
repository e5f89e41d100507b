// Fails when the start page, as it is first fetched, is larger than a slow telephone should wait for.
import { readFileSync, readdirSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

/** Kibibytes, compressed: two seconds at one megabit per second. More would be felt, less leaves no room for a framework. */
const FIRST_LOAD_KIB_MAX = 250;

const dist = new URL('dist/', import.meta.url);
const seen = new Set();

function fetched(name) {
  if (seen.has(name)) return;
  seen.add(name);
  const text = readFileSync(new URL(name, dist), 'utf8');
  if (name.endsWith('.html')) {
    for (const [, file] of text.matchAll(/(?:src|href)="\/(assets\/[^"]+)"/g)) fetched(file);
  }
  // Only what is imported at once; `import()` comes when it is wanted.
  for (const [, file] of text.matchAll(/(?:from|import)\s*"\.\/([^"]+\.js)"/g)) fetched(`assets/${file}`);
}

fetched('index.html');
// The reader's own catalogue comes with it: the larger one.
const sizeOf = name => gzipSync(readFileSync(new URL(name, dist))).length;
const words = readdirSync(new URL('assets/', dist)).filter(name => /^(en|zh-CN)-.*\.js$/.test(name));
const sizes = [...seen, words.map(name => `assets/${name}`).sort((a, b) => sizeOf(b) - sizeOf(a))[0]].map(
  sizeOf,
);
const kib = sizes.reduce((sum, size) => sum + size, 0) / 1024;
const room = [...seen].filter(name => /\/Room-.*js/.test(name));
console.log(
  `First load: ${kib.toFixed(0)} KiB compressed in ${seen.size} files, at most ${FIRST_LOAD_KIB_MAX}.`,
);
if (kib > FIRST_LOAD_KIB_MAX || room.length > 0) {
  console.error(room.length > 0 ? "The meeting's code is fetched at once." : 'That is too much.');
  process.exit(1);
}
