import { useEffect, useState } from 'react';
import { useAccount } from '../account';
import { rest } from '../rest';
import { useManages, useMeetingState } from './useMeeting';

/**
 * Where the livestream is watched, to be opened or handed out; none until that is known. Where access is by link, whoever may read
 * the meeting's settings gets all of it, and others none: without its signature it lets nobody in.
 */
export function useWatchAddress(): string | undefined {
  const watch = useMeetingState(({ broadcast }) => broadcast?.watch);
  const hasAccount = useAccount(({ account }) => !!account);
  const mayAsk = useManages() && hasAccount;
  const [known, setKnown] = useState<{ watch: string; address: string | undefined } | null>(null);
  useEffect(() => {
    if (!watch) return;
    let isCurrent = true;
    void addressOf(watch, mayAsk).then(address => isCurrent && setKnown({ watch, address }));
    return () => {
      isCurrent = false;
    };
  }, [watch, mayAsk]);
  return known?.watch === watch ? known?.address : undefined;
}

async function addressOf(watch: string, mayAsk: boolean): Promise<string | undefined> {
  const id = watch.slice(watch.lastIndexOf('/') + 1);
  const plain = new URL(watch, location.href).href;
  try {
    // A host whose meeting it isn't is told as little as anybody.
    const settings = mayAsk ? await rest.watchSettings(id).catch(() => null) : null;
    if (settings) return plain + new URL(settings.link).hash;
    const { access } = await rest.broadcast(id);
    return access === 'link' ? undefined : plain;
  } catch {
    return plain;
  }
}
