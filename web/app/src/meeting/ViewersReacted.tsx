import { REACTIONS } from '@huitong/sdk';
import { useTranslation } from 'react-i18next';
import { Reaction } from './Reaction';
import styles from './Room.module.css';
import { useTalk } from './talk';

/** What viewers of the livestream say without words (B4): sums, as they are thousands. */
export function ViewersReacted() {
  const { t } = useTranslation();
  const sums = useTalk(state => state.viewersReacted);
  const shown = REACTIONS.filter(reaction => sums[reaction]);
  if (shown.length === 0) return null;
  return (
    <div
      className={styles.reacted}
      role="img"
      aria-label={t('viewers.reacted')}
      data-testid="viewers-reacted"
    >
      {shown.map(reaction => (
        <span key={reaction} data-reaction={reaction}>
          <Reaction of={reaction} /> {sums[reaction]}
        </span>
      ))}
    </div>
  );
}
