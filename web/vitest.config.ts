import { defineConfig } from 'vitest/config';

export default defineConfig({
  // The sdk as it is written, not as it was built.
  resolve: { conditions: ['huitong-source'] },
  ssr: { resolve: { conditions: ['huitong-source'] } },
  test: {
    include: ['{sdk,app,watch}/src/**/*.test.{ts,tsx}'],
    environment: 'node',
    // Beside CI's other work one takes ten times as long.
    testTimeout: 60_000,
  },
});
