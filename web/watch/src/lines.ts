import { currentLanguage } from './words';

/** Pieces that what people write is shown in. What somebody wrote is text and nothing else. */

export function made<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  className: string,
  text = '',
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  return element;
}

/** Who wrote it and when, above what he wrote. */
export function byline(name: string, at_ms: number): HTMLElement {
  const by = made('div', 'by');
  const who = made('span', 'name', name);
  who.dir = 'auto';
  const at = new Date(at_ms);
  const time = made('time', 'at', at.toLocaleTimeString(currentLanguage(), { timeStyle: 'short' }));
  time.dateTime = at.toISOString();
  by.append(who, time);
  return by;
}

export function written(text: string): HTMLElement {
  const element = made('p', 'text', text);
  element.dir = 'auto';
  return element;
}
