import type { Reaction as Name } from '@huitong/sdk';

/** A reaction, as large as the letters around it: drawn, since not every system has letters for them. The watch page shows the same. */
export function Reaction({ of }: { of: Name }) {
  return (
    <svg viewBox="0 0 32 32" width="1em" height="1em" aria-hidden style={{ display: 'block' }}>
      <use href={`/reactions.svg#${of}`} />
    </svg>
  );
}
