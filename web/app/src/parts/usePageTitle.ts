import { useEffect } from 'react';
import { useTranslation } from 'react-i18next';

/** Names the browser's tab: the page before the product, so that many tabs can be told apart (WCAG 2.4.2). */
export function usePageTitle(title: string): void {
  const { t } = useTranslation();
  const brand = t('brand');
  useEffect(() => {
    document.title = title && title !== brand ? `${title} · ${brand}` : brand;
  }, [title, brand]);
}
