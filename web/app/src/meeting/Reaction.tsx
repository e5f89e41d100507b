import type { Reaction as Name } from '@huitong/sdk';
import type { ReactNode } from 'react';

/** Skin, lines, and what is bright: the same in the light and in the dark. */
const [SKIN, LINE, RED] = ['#ffc83d', '#6b4a00', '#e0445a'];

const FACE = <circle cx="16" cy="16" r="13" fill={SKIN} />;
const EYES = (
  <g fill={LINE}>
    <circle cx="11" cy="13" r="1.9" />
    <circle cx="21" cy="13" r="1.9" />
  </g>
);

/** Drawn, not written: not every system has letters for them. */
const DRAWINGS: Record<Name, ReactNode> = {
  clap: (
    <g stroke={LINE} strokeWidth="1.2" strokeLinejoin="round" strokeLinecap="round">
      <path
        d="M13 29c-4-1-8-5-8-9l1-7c.2-1.7 2.4-1.6 2.5.1l.3 3.4 4-9.6c.7-1.6 2.9-.8 2.4.9l-2 6.4"
        fill="#f2ac1c"
      />
      <path
        d="M14 28c-4-3-5-7-3-11l6.5-8.3c1.1-1.4 3-.1 2.1 1.5l-3 5 5.2-5.6c1.3-1.3 3 .3 1.900 1.700l-4.6 6 4.700-4c1.4-1.2 2.800.6 1.700 1.900l-4.6 5.4 3.3-2c1.5-.9 2.6 1 1.3 2.1C22.5 23.5 19.5 29.5 14 28z"
        fill={SKIN}
      />
      <path d="M24 3.5l-.8 3.2M28.3 6.2l-2.5 2.3M29.700 11l-3.3.6" stroke="#3a9fb6" strokeWidth="2" />
    </g>
  ),
  like: (
    <g stroke={LINE} strokeWidth="1.2" strokeLinejoin="round">
      <path d="M4 15h5v13H4z" fill="#3a9fb6" />
      <path
        d="M9 15.5l5-7.5V5c0-2.700 4-2.6 4.3.5.2 2-.3 4.3-1 6.5h8.2c2.3 0 3 2.3 1.700 3.5 1.6 1 1.4 3.3-.2 4 1.1 1.3.6 3.1-1 3.6.7 1.6-.4 3.4-2.3 3.4H13l-4-2z"
        fill={SKIN}
      />
    </g>
  ),
  heart: (
    <path
      d="M16 28C7 21 3 16.5 3 11.5 3 7.5 6 5 9.5 5c2.800 0 5.2 1.6 6.5 4 1.3-2.4 3.700-4 6.5-4C26 5 29 7.5 29 11.5 29 16.5 25 21 16 28z"
      fill={RED}
    />
  ),
  laugh: (
    <>
      {FACE}
      <g fill="none" stroke={LINE} strokeWidth="2" strokeLinecap="round">
        <path d="M8.5 14c1-2.2 3.5-2.2 4.5 0M19 14c1-2.2 3.5-2.2 4.5 0" />
      </g>
      <path d="M8.5 18h15c-.5 5-3.5 7.5-7.5 7.5S9 23 8.5 18z" fill={LINE} />
      <path
        d="M6.5 16c-2.5 3-3 4.5-1.5 5.5s3-.5 3-2zM25.5 16c2.5 3 3 4.5 1.5 5.5s-3-.5-3-2z"
        fill="#52abef"
      />
    </>
  ),
  surprise: (
    <>
      {FACE}
      {EYES}
      <ellipse cx="16" cy="22" rx="3.6" ry="4.6" fill={LINE} />
      <path
        d="M8.5 8.5c1-1 2.5-1.5 4-1.2M23.5 8.5c-1-1-2.5-1.5-4-1.2"
        fill="none"
        stroke={LINE}
        strokeWidth="1.6"
        strokeLinecap="round"
      />
    </>
  ),
  celebrate: (
    <>
      <path d="M4 28.5l6.5-16 9 9z" fill={SKIN} stroke={LINE} strokeWidth="1.2" strokeLinejoin="round" />
      <path d="M8.2 18l5.6 5.800" stroke={RED} strokeWidth="2.4" />
      <g fill="none" strokeWidth="2" strokeLinecap="round">
        <path d="M14.5 11c0-3 1-4.5 3-6" stroke="#3a9fb6" />
        <path d="M21 17.5c2.5-1 5-.8 7 .5" stroke={RED} />
        <path d="M18 13.5c2.5-1 4-3.5 7-3.5" stroke="#21a179" />
      </g>
      <g>
        <circle cx="10" cy="6" r="1.6" fill={RED} />
        <circle cx="22" cy="5" r="1.6" fill="#f2ac1c" />
        <circle cx="28" cy="6" r="1.4" fill="#3a9fb6" />
        <circle cx="27" cy="24" r="1.6" fill="#f2ac1c" />
      </g>
    </>
  ),
};

/** A reaction's picture, as large as the letters around it. */
export function Reaction({ of }: { of: Name }) {
  return (
    <svg viewBox="0 0 32 32" width="1em" height="1em" aria-hidden style={{ display: 'block' }}>
      {DRAWINGS[of]}
    </svg>
  );
}
