import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['{sdk,app,watch}/src/**/*.test.{ts,tsx}'],
    environment: 'node',
  },
});
