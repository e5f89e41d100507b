import { readFileSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import react from '@vitejs/plugin-react';
import { type Plugin, defaultClientConditions, defineConfig } from 'vite';

// `npm run dev` shows the sources against a server that runs elsewhere.
const server = process.env['HUITONG_SERVER'] ?? 'http://localhost:8080';

interface Parts {
  /** A package. */
  of: string;
  /** Folders of it, and what in them is wanted. */
  from: string[];
  wanted: RegExp;
  /** Below `assets`, with the version: what stands there is kept for ever. */
  to: string;
}

/** What libraries fetch by themselves while they run, under names of their own. */
const PARTS: Parts[] = [
  // Letters of East Asian documents, common fonts, decoders of pictures.
  {
    of: 'pdfjs-dist',
    from: ['cmaps', 'standard_fonts', 'wasm', 'iccs'],
    wanted: /\.(bcmap|pfb|ttf|wasm|icc)$/,
    to: 'pdfjs',
  },
  // Every browser we run in has SIMD.
  {
    of: '@shiguredo/virtual-background',
    from: ['dist'],
    wanted: /\.(binarypb|tflite)$|simd_wasm_bin\.(js|wasm)$/,
    to: 'background',
  },
];

const require = createRequire(import.meta.url);

function packageOf(name: string): { root: string; version: string } {
  const root = join(dirname(require.resolve('vite/package.json')), '..', name);
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  return { root, version };
}

function parts(): Plugin {
  return {
    name: 'parts',
    apply: 'build',
    generateBundle() {
      for (const { of, from, wanted, to } of PARTS) {
        const { root, version } = packageOf(of);
        for (const folder of from) {
          for (const name of readdirSync(join(root, folder)).filter(name => wanted.test(name))) {
            const source = readFileSync(join(root, folder, name));
            const place = folder === 'dist' ? name : `${folder}/${name}`;
            this.emitFile({ type: 'asset', fileName: `assets/${to}-${version}/${place}`, source });
          }
        }
      }
    },
  };
}

export default defineConfig({
  plugins: [react(), parts()],
  define: { __BACKGROUND_VERSION__: JSON.stringify(packageOf('@shiguredo/virtual-background').version) },
  // The sdk as it is written, not as it was built.
  resolve: { conditions: ['huitong-source', ...defaultClientConditions] },
  build: {
    outDir: '../dist',
    emptyOutDir: true,
    target: 'es2022',
    // Inlined pictures would need `img-src data:` for nothing.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: {
    proxy: {
      '/api': { target: server, ws: true },
      '/live': server,
    },
  },
});
