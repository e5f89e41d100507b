import type { Capacity } from '@huitong/sdk';
import { useEffect, useState } from 'react';
import { rest } from '../rest';

/** Typing moves on; the server is asked when it rests. */
const REST_MS = 250;

/** What of the site is free, while it is asked for and when that has failed. */
export interface KnownCapacity {
  /** Null until it is known. */
  capacity: Capacity | null;
  problem: unknown;
  retry: () => void;
}

/** What of the site is free throughout a time. */
export function useCapacity(start: Date | null, duration: number, earlyStart: number): KnownCapacity {
  const [capacity, setCapacity] = useState<Capacity | null>(null);
  const [problem, setProblem] = useState<unknown>(null);
  const [tries, setTries] = useState(0);
  const at = start?.toISOString();
  useEffect(() => {
    if (!at) return;
    let isCurrent = true;
    const timer = setTimeout(() => {
      rest.capacity(at, duration, earlyStart).then(
        found => {
          if (isCurrent) setCapacity(found);
        },
        (thrown: unknown) => {
          if (!isCurrent) return;
          setCapacity(null);
          setProblem(thrown);
        },
      );
    }, REST_MS);
    return () => {
      isCurrent = false;
      clearTimeout(timer);
      setProblem(null);
    };
  }, [at, duration, earlyStart, tries]);
  return { capacity, problem, retry: () => setTries(tries + 1) };
}
