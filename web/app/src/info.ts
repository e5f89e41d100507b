import type { Info } from '@huitong/sdk';
import { useEffect, useState } from 'react';
import { rest } from './rest';

/** Asked once a page; again only where it could not be told. */
let asked: Promise<Info> | null = null;

function ask(): Promise<Info> {
  asked ??= rest.info().catch((thrown: unknown) => {
    asked = null;
    throw thrown;
  });
  return asked;
}

/** What the server says of itself; null until it has, or where it can't. */
export function useInfo(): Info | null {
  const [info, setInfo] = useState<Info | null>(null);
  useEffect(() => {
    ask().then(setInfo, () => undefined);
  }, []);
  return info;
}

/** A number as telephones dial it. */
export const telLink = (number: string): string => `tel:${number.replace(/\s/g, '')}`;
