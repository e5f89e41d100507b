import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Plugin, defineConfig } from 'vite';

/** The server gives the same file, and a page that uses it, to whoever wants to try. */
function serve(): Plugin {
  return {
    name: 'serve',
    closeBundle() {
      const served = join(import.meta.dirname, '../dist/sdk');
      mkdirSync(served, { recursive: true });
      copyFileSync(join(import.meta.dirname, 'dist/huitong.js'), join(served, 'huitong.js'));
      for (const name of ['index.html', 'example.js']) {
        copyFileSync(join(import.meta.dirname, 'example', name), join(served, name));
      }
    },
  };
}

export default defineConfig({
  plugins: [serve()],
  build: {
    target: 'es2022',
    lib: { entry: 'src/index.ts', formats: ['es'], fileName: () => 'huitong.js' },
  },
});
