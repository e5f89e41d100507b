/** The page is in a frame of another one: it shows the meeting and nothing beside it. */
export const isEmbedded = location.pathname.startsWith('/embed/');

const asked = new URLSearchParams(isEmbedded ? location.search : '');

/** What the page around it wants. */
export const embedded = {
  name: asked.get('name')?.slice(0, 40) ?? '',
  language: asked.get('lang'),
  /** Without the page that shows one to oneself. */
  isDirect: asked.get('direct') === '1',
};
