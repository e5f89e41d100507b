import { type Dispatch, type SetStateAction, useEffect, useState } from 'react';

interface Asked<Found> {
  /** Null until it is known. */
  found: Found | null;
  setFound: Dispatch<SetStateAction<Found | null>>;
  /** Why it can't be; null where it can. */
  problem: unknown;
  /** Asks the same once more. */
  again: () => void;
}

/** What the server says to this question. It is asked anew for another `key`, and nothing while there is none. */
export function useAsked<Found>(key: string | null, ask: (key: string) => Promise<Found>): Asked<Found> {
  const [found, setFound] = useState<Found | null>(null);
  const [problem, setProblem] = useState<unknown>(null);
  const [tries, setTries] = useState(0);
  useEffect(() => {
    if (key === null) return;
    let isWanted = true;
    ask(key).then(
      said => isWanted && setFound(() => said),
      (thrown: unknown) => isWanted && setProblem(thrown),
    );
    return () => {
      isWanted = false;
      setProblem(null);
    };
  }, [key, ask, tries]);
  return { found, setFound, problem, again: () => setTries(tries + 1) };
}
