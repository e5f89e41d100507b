import { useEffect, useState } from 'react';

/** How long it is told that something was copied. */
const TOLD_MS = 3_000;

/**
 * Copies, and for a while says so. Over plain HTTP, and in frames that may not, browsers keep the clipboard from scripts:
 * then it is copied as by hand, and where that isn't possible either, the text is shown to be copied by hand.
 */
export function useCopy(): { copied: boolean; copy: (text: string) => void } {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), TOLD_MS);
    return () => clearTimeout(timer);
  }, [copied]);
  const copy = async (text: string) => {
    if ((await written(text)) || selected(text)) setCopied(true);
    else prompt('', text);
  };
  return { copied, copy: text => void copy(text) };
}

async function written(text: string): Promise<boolean> {
  try {
    // Without a secure context there is no such thing, which is thrown as well.
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

/** Deprecated, and the only way that is left. */
function selected(text: string): boolean {
  const before = document.activeElement;
  const field = document.createElement('textarea');
  field.value = text;
  field.style.cssText = 'position:fixed;opacity:0';
  document.body.append(field);
  field.select();
  // eslint-disable-next-line @typescript-eslint/no-deprecated
  const isDone = document.execCommand('copy');
  field.remove();
  if (before instanceof HTMLElement) before.focus();
  return isDone;
}
