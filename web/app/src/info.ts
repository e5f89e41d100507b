import type { Info } from '@huitong/sdk';
import { useEffect, useState } from 'react';
import { rest } from './rest';

/** What the server says of itself; null until it has, or where it can't. */
export function useInfo(): Info | null {
  const [info, setInfo] = useState<Info | null>(null);
  useEffect(() => {
    rest.info().then(setInfo, () => undefined);
  }, []);
  return info;
}
