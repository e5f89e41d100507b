import { useTranslation } from 'react-i18next';
import styles from './Tile.module.css';

/** Why a tile's picture stands still: one's line has no room for it. */
export function PausedSign() {
  const { t } = useTranslation();
  return (
    <span className={styles.paused} title={t('meeting.pausedWhy')} data-testid="tile-paused">
      {t('meeting.paused')}
    </span>
  );
}
