import type { Ended, Meeting } from '@huitong/sdk';
import { Modal } from '@mantine/core';
import { useEffect, useEffectEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useLocalMedia } from '../media/local';
import { DeviceChoice } from '../media/DeviceChoice';
import { forgetResume, keepResume } from '../resume';
import { Bar } from './Bar';
import { Connection } from './Connection';
import { Head } from './Head';
import { NoticeStack } from './NoticeStack';
import { Participants } from './Participants';
import styles from './Room.module.css';
import { Stage } from './Stage';
import { Voices } from './Voices';
import { followDevices } from './controls';
import { useNotices } from './notices';
import { MeetingProvider } from './useMeeting';
import { useWakeLock } from './useWakeLock';

declare global {
  interface Window {
    /** The meeting one is in: for the console and for tests. */
    huitong?: Meeting;
  }
}

interface RoomProps {
  meeting: Meeting;
  /** What one came in with, to tell it to others. */
  password: string | undefined;
  onEnded: (ended: Ended) => void;
}

/** The meeting itself. */
export function Room({ meeting, password, onEnded }: RoomProps) {
  const { t } = useTranslation();
  const [isPanelOpen, setPanelOpen] = useState(() => window.matchMedia('(min-width: 1100px)').matches);
  const [isDevicesOpen, setDevicesOpen] = useState(false);
  useWakeLock();
  const ended = useEffectEvent(onEnded);
  useEffect(() => live(meeting, why => ended(why)), [meeting]);

  return (
    <MeetingProvider value={meeting}>
      <div className={styles.room} data-testid="room">
        <Head password={password} />
        <main className={styles.middle}>
          <Stage />
          {isPanelOpen && <Participants onClose={() => setPanelOpen(false)} />}
          <Connection />
          <Voices />
          <NoticeStack />
        </main>
        <Bar
          isPanelOpen={isPanelOpen}
          onPanel={() => setPanelOpen(open => !open)}
          onDevices={() => setDevicesOpen(true)}
        />
        <Modal
          opened={isDevicesOpen}
          onClose={() => setDevicesOpen(false)}
          title={t('devices.title')}
          centered
        >
          <DeviceChoice />
        </Modal>
      </div>
    </MeetingProvider>
  );
}

/** What goes on as long as the page shows the meeting. */
function live(meeting: Meeting, onEnded: (ended: Ended) => void): () => void {
  const { tell, clear } = useNotices.getState();
  window.huitong = meeting;
  document.title = meeting.state.meeting.title;
  keepResume(meeting);
  const goodbye = (event: PageTransitionEvent) => {
    // A closed page is a goodbye; without it the seat would stand empty for a minute.
    if (!event.persisted) void meeting.leave();
  };
  window.addEventListener('pagehide', goodbye);
  const undo = [
    followDevices(meeting),
    meeting.on('change', () => keepResume(meeting)),
    meeting.on('notice', notice => {
      // What the host stopped is not sent either, whatever the server does with it.
      if (notice === 'camera_stopped') useLocalMedia.getState().close('camera');
      if (notice === 'share_stopped') useLocalMedia.getState().close('screen');
      tell({ kind: notice });
    }),
    meeting.on('ended', ended => {
      forgetResume(meeting);
      onEnded(ended);
    }),
  ];
  return () => {
    for (const one of undo) one();
    window.removeEventListener('pagehide', goodbye);
    delete window.huitong;
    document.title = '会通';
    clear();
    // Whoever goes back a page has left.
    if (meeting.state.phase !== 'ended') void meeting.leave();
  };
}
