/** The page's own script, as the build named it: another build's has another name. */
const OWN = document.querySelector('script[type=module][src]');

/** Whether the server still hands out the build that this page is of; every page comes from it, and never from a store. */
export async function isCurrent(): Promise<boolean> {
  const answer = await fetch('/', { cache: 'no-store' });
  if (!answer.ok) throw new Error(`the start page: ${answer.status}`);
  const page = await answer.text();
  return page.includes(OWN?.getAttribute('src') ?? '');
}
