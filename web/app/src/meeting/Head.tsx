import { ActionIcon, Anchor, Popover, Text, Tooltip } from '@mantine/core';
import { Grid2x2, Info, Lock, Presentation } from 'lucide-react';
import { useEffect, useRef } from 'react';
import { useTranslation } from 'react-i18next';
import { inThrees } from '../numbers';
import { useSettings } from '../settings';
import { BreakoutBadge, BreakoutsLeft } from './Breakouts';
import { DialIn } from './DialIn';
import { Quality } from './Quality';
import { toggleLayout } from './Shortcuts';
import { useEnd } from './useEnd';
import styles from './Head.module.css';
import { useNotices } from './notices';
import { useMeetingState } from './useMeeting';
import { useWatchAddress } from './useWatchAddress';
import { Written } from '../parts/Written';
import { CopyButton } from '../parts/CopyButton';

interface HeadProps {
  password: string | undefined;
  onStatistics: () => void;
}

/** What meeting this is, how others come in, and whether it is broadcast. */
export function Head({ password, onStatistics }: HeadProps) {
  const { t } = useTranslation();
  const meeting = useMeetingState(state => state.meeting);
  const layout = useSettings(state => state.layout);
  const other = layout === 'speaker' ? 'gallery' : 'speaker';
  return (
    <header className={styles.head}>
      <div className={styles.title}>
        <Text fw={600} truncate component="h1" fz="md">
          <Written text={meeting.title} />
        </Text>
        {meeting.locked && <Lock size={15} aria-label={t('meeting.locked')} />}
        <Text fz="sm" c="dimmed" className={styles.number}>
          {inThrees(meeting.number)}
        </Text>
        <Popover position="bottom-start" shadow="md" width={340} withArrow trapFocus returnFocus>
          <Popover.Target>
            <ActionIcon variant="subtle" color="gray" aria-label={t('dial.title')} data-testid="dial-in">
              <Info size={18} />
            </ActionIcon>
          </Popover.Target>
          <Popover.Dropdown data-testid="dial-in-info">
            <DialIn meeting={meeting} password={password} />
          </Popover.Dropdown>
        </Popover>
      </div>
      <BreakoutBadge className={styles.rooms} />
      <div className={styles.title}>
        <BreakoutsLeft />
        <Left />
        <RecordingBadge />
        <BroadcastBadge />
        <Quality onMore={onStatistics} />
        <Tooltip label={t(`meeting.${other}`)}>
          <ActionIcon
            variant="subtle"
            color="gray"
            size="lg"
            className={styles.other}
            aria-label={t(`meeting.${other}`)}
            onClick={toggleLayout}
            data-testid="toggle-layout"
          >
            {other === 'gallery' ? <Grid2x2 size={19} /> : <Presentation size={19} />}
          </ActionIcon>
        </Tooltip>
      </div>
    </header>
  );
}

/** How long is left, once it matters. */
function Left() {
  const { t } = useTranslation();
  const minutes = useEnd();
  if (minutes === null) return null;
  return (
    <Text fz="sm" c="var(--hand)" fw={600} style={{ whiteSpace: 'nowrap' }} data-testid="ends-in">
      {t('meeting.endsIn', { count: minutes })}
    </Text>
  );
}

/** Everyone is to know, whenever they look, and hears of it when it begins or ends. */
function RecordingBadge() {
  const { t } = useTranslation();
  const isRecording = useMeetingState(state => state.meeting.recording);
  const tell = useNotices(state => state.tell);
  const before = useRef(false);
  useEffect(() => {
    if (before.current !== isRecording) tell({ kind: isRecording ? 'recording' : 'not_recording' });
    before.current = isRecording;
  }, [isRecording, tell]);
  if (!isRecording) return null;
  return (
    <span className={styles.live} data-state="recording" data-testid="recording">
      {t('recording.on')}
    </span>
  );
}

function BroadcastBadge() {
  const { t } = useTranslation();
  const broadcast = useMeetingState(state => state.broadcast);
  const address = useWatchAddress();
  if (!broadcast) return null;
  return (
    <div className={styles.broadcast} data-testid="broadcast" data-state={broadcast.state}>
      <span className={styles.live} data-state={broadcast.state}>
        {t(`broadcast.${broadcast.state}`)}
      </span>
      {address && (
        <>
          <Anchor
            href={address}
            target="_blank"
            rel="noopener"
            fz="sm"
            data-testid="watch-link"
            className={styles.link}
          >
            {t('broadcast.watch')}
          </Anchor>
          <CopyButton
            text={address}
            label={t('broadcast.copy')}
            className={styles.copy}
            testid="watch-copy"
          />
        </>
      )}
    </div>
  );
}
