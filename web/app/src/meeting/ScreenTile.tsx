import type { Participant } from '@huitong/sdk';
import { Maximize, Minimize, MonitorUp, MonitorX } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { LiveVideo } from '../media/LiveVideo';
import { useLocalMedia } from '../media/local';
import { PausedSign } from './PausedSign';
import styles from './Tile.module.css';
import { attempt } from './controls';
import { canFullScreen, toggleFullScreen, useFullScreen } from './fullScreen';
import { useMayControl, useMeeting, useMeetingState, useShown } from './useMeeting';

/** What somebody shares. */
export function ScreenTile({ participant }: { participant: Participant }) {
  const { t } = useTranslation();
  const meeting = useMeeting();
  const isOwn = participant.id === meeting.you;
  const own = useLocalMedia(state => state.screen);
  const received = useMeetingState(() => meeting.stream(participant.id, 'screen'));
  const isPaused = useMeetingState(() => meeting.isPaused(participant.id, 'screen'));
  const shown = useShown(isOwn ? null : participant.id, 'screen');
  const mayStop = useMayControl(participant);
  const isFull = useFullScreen();
  return (
    <article
      ref={shown}
      className={styles.tile}
      data-paused={isPaused || undefined}
      data-testid="screen-tile"
      data-participant={participant.id}
    >
      {isOwn && own && <LiveVideo key="own" track={own} whole />}
      {!isOwn && received && <LiveVideo key="received" stream={received} whole />}
      {isPaused && <PausedSign />}
      {mayStop && (
        <button
          type="button"
          className={styles.pin}
          title={t('meeting.stopTheirShare')}
          aria-label={t('meeting.stopShareOf', { name: participant.name })}
          onClick={() => void attempt(() => meeting.stopScreen(participant.id))}
          data-testid="tile-stop-screen"
        >
          <MonitorX size={15} />
        </button>
      )}
      {canFullScreen() && (
        <button
          type="button"
          className={styles.full}
          title={t(isFull ? 'meeting.notFullScreen' : 'keys.fullScreen')}
          aria-label={t(isFull ? 'meeting.notFullScreen' : 'keys.fullScreen')}
          onClick={toggleFullScreen}
          data-testid="full-screen"
        >
          {isFull ? <Minimize size={15} /> : <Maximize size={15} />}
        </button>
      )}
      <footer className={styles.name}>
        <MonitorUp size={14} />
        <span className={styles.text}>
          {isOwn ? t('meeting.youShare') : t('meeting.shares', { name: participant.name })}
        </span>
      </footer>
    </article>
  );
}
