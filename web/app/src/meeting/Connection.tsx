import { Button, Loader } from '@mantine/core';
import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { ByPhone } from '../parts/ByPhone';
import { Bars } from './Bars';
import styles from './Room.module.css';
import { useIsPoor, useMeeting, useMeetingState } from './useMeeting';

/** A connection takes a tenth of a second; before this nothing need be said. */
const PATIENCE_MS = 2_500;

/** After so long it is more than a moment, and people may want to know what to look for. */
const WORRY_MS = 12_000;

/** Says that the network is gone, that words pass but media doesn't, or that media passes badly. */
export function Connection({ password }: { password: string | undefined }) {
  const { t } = useTranslation();
  const meeting = useMeeting();
  const isLost = useMeetingState(({ phase }) => phase === 'reconnecting');
  const isSilent = useMeetingState(({ sending, receiving }) => !sending || !receiving);
  const isPoor = useIsPoor();
  const since = useSince(isLost || isSilent);
  const number = useMeetingState(state => state.meeting.number);
  const isWorrying = since >= WORRY_MS;
  const byPhone = isWorrying && (
    <ByPhone
      number={number}
      password={password}
      size="compact-xs"
      variant="white"
      color="dark"
      style={{ flexShrink: 0 }}
    />
  );
  if (isLost) {
    return (
      <div className={styles.banner} role="alert" data-testid="reconnecting">
        <Loader size={16} color="white" />
        <span>{t('meeting.reconnecting')}</span>
        <Button size="compact-xs" variant="white" color="dark" onClick={() => meeting.reconnect()}>
          {t('meeting.reconnectNow')}
        </Button>
        {byPhone}
      </div>
    );
  }
  if (!isSilent && isPoor) {
    return (
      <div className={styles.banner} role="status" data-testid="network-poor">
        <Bars grade="poor" size={16} />
        <span>{t('meeting.networkPoor')}</span>
      </div>
    );
  }
  if (!isSilent || since < PATIENCE_MS) return null;
  return (
    <div className={styles.banner} role="alert" data-testid="media-connecting">
      <Loader size={16} color="white" />
      <span>{isWorrying ? t('meeting.mediaBlocked') : t('meeting.mediaConnecting')}</span>
      {byPhone}
    </div>
  );
}

/** For how many milliseconds something has been so, in steps of half a second. */
function useSince(holds: boolean): number {
  const [since, setSince] = useState(0);
  useEffect(() => {
    if (!holds) return;
    const began = Date.now();
    const timer = setInterval(() => setSince(Date.now() - began), 500);
    return () => {
      clearInterval(timer);
      setSince(0);
    };
  }, [holds]);
  return since;
}
