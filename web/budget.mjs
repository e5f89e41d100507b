// Fails when the start page, as it is first fetched, is larger than a slow telephone should wait for.
import { readFileSync, readdirSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

/** Kibibytes, compressed: two seconds at one megabit per second. More would be felt, less leaves no room for a framework. */
const FIRST_LOAD_KIB_MAX = 250;

/** The watch page says what it has to say before its player is there: half a second at one megabit per second. */
const WATCH_KIB_MAX = 60;

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
const kibOf = names => names.map(sizeOf).reduce((sum, size) => sum + size, 0) / 1024;
const words = readdirSync(new URL('assets/', dist)).filter(name => /^(en|zh-CN)-.*\.js$/.test(name));
const larger = words.map(name => `assets/${name}`).sort((a, b) => sizeOf(b) - sizeOf(a))[0];
const kib = kibOf([...seen, larger]);
const room = [...seen].filter(name => /\/Room-.*js/.test(name));
console.log(
  `First load: ${kib.toFixed(0)} KiB compressed in ${seen.size} files, at most ${FIRST_LOAD_KIB_MAX}.`,
);
if (kib > FIRST_LOAD_KIB_MAX || room.length > 0) {
  console.error(room.length > 0 ? "The meeting's code is fetched at once." : 'That is too much.');
  process.exit(1);
}

seen.clear();
fetched('watch.html');
const watch = kibOf([...seen]);
const stage = [...seen].filter(name => /\/(stage|player)-.*js/.test(name));
console.log(`Watch page: ${watch.toFixed(0)} KiB compressed before the player, at most ${WATCH_KIB_MAX}.`);
if (watch > WATCH_KIB_MAX || stage.length > 0) {
  console.error(stage.length > 0 ? `${stage.join()} is fetched at once.` : 'That is too much.');
  process.exit(1);
}
