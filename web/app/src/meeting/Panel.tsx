import { CloseButton, Title } from '@mantine/core';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import styles from './Panel.module.css';

/** What stands beside the stage, one at a time; on a phone it covers the lower part. */
export type PanelName = 'participants' | 'chat' | 'polls';

interface PanelProps {
  name: PanelName;
  title: string;
  onClose: () => void;
  children: ReactNode;
}

export function Panel({ name, title, onClose, children }: PanelProps) {
  const { t } = useTranslation();
  return (
    <aside className={styles.panel} aria-label={title} data-testid={name}>
      <header className={styles.head}>
        <Title order={2} fz="md">
          {title}
        </Title>
        <CloseButton aria-label={t('meeting.close')} onClick={onClose} data-testid="panel-close" />
      </header>
      {children}
    </aside>
  );
}
