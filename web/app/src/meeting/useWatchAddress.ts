import { useEffect, useState } from 'react';
import { useAccount } from '../account';
import { rest } from '../rest';
import { useManages, useMeetingState } from './useMeeting';

/** Where the livestream is watched, to be opened or handed out. Where access is by link, whoever may read the meeting's settings gets all of it. */
export function useWatchAddress(): string | undefined {
  const watch = useMeetingState(({ broadcast }) => broadcast?.watch);
  const hasAccount = useAccount(({ account }) => !!account);
  const mayAsk = useManages() && hasAccount;
  const [signed, setSigned] = useState<{ watch: string; hash: string } | null>(null);
  useEffect(() => {
    if (!watch || !mayAsk) return;
    let isCurrent = true;
    const id = watch.slice(watch.lastIndexOf('/') + 1);
    rest.watchSettings(id).then(
      ({ link }) => {
        if (isCurrent) setSigned({ watch, hash: new URL(link).hash });
      },
      // A host whose meeting it isn't hands out what there is.
      () => undefined,
    );
    return () => {
      isCurrent = false;
    };
  }, [watch, mayAsk]);
  if (!watch) return undefined;
  return new URL(watch + (signed?.watch === watch ? signed.hash : ''), location.origin).href;
}
