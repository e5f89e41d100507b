import { ActionIcon, Menu, NativeSelect, useMantineColorScheme } from '@mantine/core';
import { Check, Languages, Monitor, Moon, Sun } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { LANGUAGES, type Language, setLanguage } from '../i18n';

const SCHEMES = { light: Sun, dark: Moon, auto: Monitor } as const;

/** Language and colours. */
export function Preferences() {
  const { t } = useTranslation();
  return (
    <Menu position="bottom-end" withinPortal>
      <Menu.Target>
        <ActionIcon
          variant="subtle"
          color="gray"
          size="lg"
          aria-label={t('preferences.title')}
          data-testid="preferences"
        >
          <Languages size={19} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <PreferenceItems />
      </Menu.Dropdown>
    </Menu>
  );
}

/** The same as fields among other settings. */
export function PreferenceFields() {
  const { t, i18n } = useTranslation();
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  return (
    <>
      {/* The browser's own: others lose their place on a page that is scrolled. */}
      <NativeSelect
        label={t('preferences.language')}
        value={i18n.language}
        data-testid="setting-language"
        onChange={event => void setLanguage(event.currentTarget.value as Language)}
        data={Object.entries(LANGUAGES).map(([value, label]) => ({ value, label }))}
      />
      <NativeSelect
        label={t('preferences.colours')}
        value={colorScheme}
        data-testid="setting-colours"
        onChange={event => setColorScheme(event.currentTarget.value as 'light' | 'dark' | 'auto')}
        data={(['light', 'dark', 'auto'] as const).map(value => ({
          value,
          label: t(`preferences.${value}`),
        }))}
      />
    </>
  );
}

/** The same as items of another menu. */
export function PreferenceItems() {
  const { t, i18n } = useTranslation();
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  return (
    <>
      <Menu.Label>{t('preferences.language')}</Menu.Label>
      {(Object.keys(LANGUAGES) as Language[]).map(language => (
        <Menu.Item
          key={language}
          lang={language}
          data-testid={`language-${language}`}
          onClick={() => void setLanguage(language)}
          rightSection={i18n.language === language && <Check size={15} />}
        >
          {LANGUAGES[language]}
        </Menu.Item>
      ))}
      <Menu.Label>{t('preferences.colours')}</Menu.Label>
      {(['light', 'dark', 'auto'] as const).map(scheme => {
        const Icon = SCHEMES[scheme];
        return (
          <Menu.Item
            key={scheme}
            leftSection={<Icon size={15} />}
            onClick={() => setColorScheme(scheme)}
            rightSection={colorScheme === scheme && <Check size={15} />}
          >
            {t(`preferences.${scheme}`)}
          </Menu.Item>
        );
      })}
    </>
  );
}
