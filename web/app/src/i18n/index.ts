import i18next from 'i18next';
import { initReactI18next } from 'react-i18next';
import { embedded } from '../embed/mode';
import { rest } from '../rest';
import { isolated } from './isolated';
import type zh from './zh-CN.json';

export const LANGUAGES = { 'zh-CN': '简体中文', en: 'English' } as const;
export type Language = keyof typeof LANGUAGES;

/** Only the reader's own is fetched. */
const CATALOGUES = {
  'zh-CN': () => import('./zh-CN.json'),
  en: () => import('./en.json'),
} satisfies Record<Language, () => Promise<unknown>>;

const CHOSEN = 'huitong.language';

/** What was chosen here before, else the browser's first language. */
function preferred(): Language {
  const chosen = embedded.language ?? localStorage.getItem(CHOSEN);
  if (chosen === 'zh-CN' || chosen === 'en') return chosen;
  return navigator.language.toLowerCase().startsWith('zh') ? 'zh-CN' : 'en';
}

function follow(language: string): void {
  document.documentElement.lang = language;
  rest.language = language;
}

export async function startI18n(): Promise<void> {
  const language = preferred();
  i18next.on('languageChanged', follow);
  await i18next.use(initReactI18next).init({
    lng: language,
    fallbackLng: language,
    resources: { [language]: { translation: (await CATALOGUES[language]()).default } },
    // React escapes what it shows.
    interpolation: { escape: isolated },
  });
}

export async function setLanguage(language: Language): Promise<void> {
  const { default: catalogue } = await CATALOGUES[language]();
  i18next.addResourceBundle(language, 'translation', catalogue);
  localStorage.setItem(CHOSEN, language);
  await i18next.changeLanguage(language);
}

declare module 'i18next' {
  interface CustomTypeOptions {
    resources: { translation: typeof zh };
  }
}
