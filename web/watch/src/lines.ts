import { currentLanguage } from './words';

const SVG = 'http://www.w3.org/2000/svg';

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

/** One of the drawings that the meeting's page shows too: not every system has letters for them. */
export function drawn(name: string): SVGSVGElement {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('aria-hidden', 'true');
  const use = document.createElementNS(SVG, 'use');
  use.setAttribute('href', `/reactions.svg#${name}`);
  svg.append(use);
  return svg;
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
