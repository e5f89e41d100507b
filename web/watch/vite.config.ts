import { defaultClientConditions, defineConfig } from 'vite';

const server = process.env['HUITONG_SERVER'] ?? 'http://localhost:8080';

// Built after the app, into the same folder: the server answers `/watch/{id}` with `watch.html`.
export default defineConfig({
  resolve: { conditions: ['huitong-source', ...defaultClientConditions] },
  build: {
    outDir: '../dist',
    emptyOutDir: false,
    copyPublicDir: false,
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: { input: 'watch.html' },
  },
  server: {
    proxy: {
      '/api': server,
      '/live': server,
    },
  },
});
