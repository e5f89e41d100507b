import i18next from 'i18next';
import { initReactI18next } from 'react-i18next';
import { rest } from '../rest';
import en from './en.json';
import zh from './zh-CN.json';

export const LANGUAGES = { 'zh-CN': '简体中文', en: 'English' } as const;
export type Language = keyof typeof LANGUAGES;

const CHOSEN = 'huitong.language';

/** What was chosen here before, else the browser's first language. */
function preferred(): Language {
  const chosen = localStorage.getItem(CHOSEN);
  if (chosen === 'zh-CN' || chosen === 'en') return chosen;
  return navigator.language.toLowerCase().startsWith('zh') ? 'zh-CN' : 'en';
}

function follow(language: string): void {
  document.documentElement.lang = language;
  rest.language = language;
}

export async function startI18n(): Promise<void> {
  i18next.on('languageChanged', follow);
  await i18next.use(initReactI18next).init({
    lng: preferred(),
    fallbackLng: 'zh-CN',
    resources: { 'zh-CN': { translation: zh }, en: { translation: en } },
    // React escapes what it shows.
    interpolation: { escapeValue: false },
  });
}

export async function setLanguage(language: Language): Promise<void> {
  localStorage.setItem(CHOSEN, language);
  await i18next.changeLanguage(language);
}

declare module 'i18next' {
  interface CustomTypeOptions {
    resources: { translation: typeof zh };
  }
}
