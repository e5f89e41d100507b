import type { Capacity } from '@huitong/sdk';
import { useEffect, useState } from 'react';
import { rest } from '../rest';

/** Typing moves on; the server is asked when it rests. */
const REST_MS = 250;

/** What of the site is free throughout a time; null until it is known. */
export function useCapacity(start: Date | null, duration: number, earlyStart: number): Capacity | null {
  const [capacity, setCapacity] = useState<Capacity | null>(null);
  const at = start?.toISOString();
  useEffect(() => {
    if (!at) return;
    let isCurrent = true;
    const timer = setTimeout(() => {
      rest.capacity(at, duration, earlyStart).then(
        found => {
          if (isCurrent) setCapacity(found);
        },
        () => {
          if (isCurrent) setCapacity(null);
        },
      );
    }, REST_MS);
    return () => {
      isCurrent = false;
      clearTimeout(timer);
    };
  }, [at, duration, earlyStart]);
  return capacity;
}
