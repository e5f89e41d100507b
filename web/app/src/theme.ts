import { type CSSVariablesResolver, type MantineColorsTuple, createTheme } from '@mantine/core';

/** Lake: the one accent. Shade 7 carries white text at 4.9:1. */
const lake: MantineColorsTuple = [
  '#eaf6f8',
  '#d5eaef',
  '#a9d5df',
  '#79bece',
  '#52abbf',
  '#3a9fb6',
  '#2a93ab',
  '#17788d',
  '#0f6678',
  '#075565',
];

/** Greys of the dark scheme with a trace of the lake in them. */
const dark: MantineColorsTuple = [
  '#dfe4e7',
  '#b6bfc5',
  '#919ca4',
  '#6d7981',
  '#465058',
  '#374148',
  '#2a3238',
  '#1d2429',
  '#171d21',
  '#101518',
];

export const theme = createTheme({
  colors: { lake, dark },
  primaryColor: 'lake',
  primaryShade: 7,
  defaultRadius: 'md',
  cursorType: 'pointer',
  respectReducedMotion: true,
  fontFamily:
    "system-ui, -apple-system, 'Segoe UI', Roboto, 'PingFang SC', 'Microsoft YaHei', 'Noto Sans CJK SC', sans-serif",
  headings: { fontWeight: '600' },
  // A menu holds nothing but items: the first one has the focus, not a placeholder before it.
  components: {
    Menu: { defaultProps: { withInitialFocusPlaceholder: false } },
    Modal: { styles: { title: { fontWeight: 600 } } },
    Badge: { styles: { root: { textTransform: 'none' } } },
  },
});

/** Mantine's own greys and tints stay below WCAG's 4.5:1 for lesser text and on light badges. */
export const variables: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    '--mantine-color-dimmed': '#5d6a70',
    '--mantine-color-placeholder': '#68757c',
    '--mantine-color-teal-light-color': '#066649',
    '--mantine-color-yellow-light-color': '#7a4d00',
    '--mantine-color-red-light-color': '#a61e1e',
    '--mantine-color-red-text': '#c8323c',
    // Of menus' items.
    '--mantine-color-red-6': '#c8323c',
  },
  dark: {
    '--mantine-color-dimmed': '#9aa5ad',
    '--mantine-color-placeholder': '#919ca4',
    '--mantine-color-red-6': '#ff8f8f',
    '--mantine-color-error': '#ff8f8f',
    // The chosen one of several beside each other.
    '--sc-color': lake[7],
  },
});
