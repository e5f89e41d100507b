import type { Ended, Meeting } from '@huitong/sdk';
import { Stack } from '@mantine/core';
import { useMediaQuery } from '@mantine/hooks';
import { Suspense, lazy, useEffect, useEffectEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { bridge } from '../embed/bridge';
import { isEmbedded } from '../embed/mode';
import { useLocalMedia } from '../media/local';
import { DeviceChoice } from '../media/DeviceChoice';
import { forgetSeat, keepSeat } from '../resume';
import { Bar } from './Bar';
import { Chat } from './Chat';
import { Connection } from './Connection';
import { Head } from './Head';
import { Invite } from './Invite';
import { NoticeStack } from './NoticeStack';
import type { PanelName } from './Panel';
import { Participants } from './Participants';
import { Polls } from './Polls';
import { Pushes } from './Pushes';
import styles from './Room.module.css';
import { Breakouts } from './Breakouts';
import { Scale } from './Scale';
import { ShortcutHelp, useShortcuts } from './Shortcuts';
import { Stage } from './Stage';
import { ViewersReacted } from './ViewersReacted';
import { Voices } from './Voices';
import { attempt, followDevices } from './controls';
import { useNotices } from './notices';
import { useTalk } from './talk';
import { MeetingProvider, useMeetingState } from './useMeeting';
import { useMediaSession } from './useMediaSession';
import { usePictureInPicture } from './usePictureInPicture';
import { useWakeLock } from './useWakeLock';
import { PreferenceFields } from '../parts/Preferences';
import { Sheet } from '../parts/Sheet';
import { usePageTitle } from '../parts/usePageTitle';
import { usePresence } from '../presence';

const ShareDialog = lazy(() =>
  import('../sharing/ShareDialog').then(({ ShareDialog }) => ({ default: ShareDialog })),
);

const Statistics = lazy(() => import('./Statistics').then(({ Statistics }) => ({ default: Statistics })));

declare global {
  interface Window {
    /** The meeting one is in: for the console and for tests. */
    huitong?: Meeting;
  }
}

/** What opens over the meeting. */
export type Dialog = 'share' | 'stats' | 'devices' | 'invite' | 'scale' | 'breakouts' | 'pushes' | 'keys';

interface RoomProps {
  meeting: Meeting;
  /** What one came in with, to tell it to others. */
  password: string | undefined;
  /** The page is being left without a word. */
  onAway: () => void;
  /** `wasRecorded`: there is something to be seen of it. */
  onEnded: (ended: Ended, wasRecorded: boolean) => void;
}

/** The meeting itself. */
export function Room({ meeting, password, onAway, onEnded }: RoomProps) {
  useWakeLock();
  usePresence(meeting.state.meeting.id);
  const away = useEffectEvent(onAway);
  const ended = useEffectEvent(onEnded);
  useEffect(() => {
    return live(
      meeting,
      () => away(),
      (why, wasRecorded) => ended(why, wasRecorded),
    );
  }, [meeting]);
  return (
    <MeetingProvider value={meeting}>
      <Inside password={password} />
    </MeetingProvider>
  );
}

function Inside({ password }: { password: string | undefined }) {
  const { t } = useTranslation();
  // Until somebody has opened or shut one, the participants are beside the stage as long as there is room.
  const [chosen, setPanel] = useState<PanelName | null>();
  const isWide = useMediaQuery('(min-width: 1100px)', false, { getInitialValueInEffect: false });
  const panel = chosen === undefined ? (isWide ? 'participants' : null) : chosen;
  const [dialog, setDialog] = useState<Dialog | null>(null);
  const toggle = (name: PanelName) => setPanel(panel === name ? null : name);
  const closePanel = () => setPanel(null);
  const closeDialog = () => setDialog(null);
  useMediaSession();
  usePageTitle(useMeetingState(state => state.meeting.title));
  const floating = usePictureInPicture();
  const float = () => void attempt(floating.toggle);
  useShortcuts({
    onPanel: toggle,
    onHelp: () => setDialog('keys'),
    onStatistics: () => setDialog('stats'),
    onFloat: float,
  });
  const writeTo = (id: string) => {
    useTalk.getState().address(id);
    setPanel('chat');
  };
  return (
    <div className={styles.room} data-testid="room">
      <Head password={password} onStatistics={() => setDialog('stats')} />
      <main className={styles.middle}>
        <Stage />
        {panel === 'participants' && <Participants onClose={closePanel} onWrite={writeTo} />}
        {panel === 'chat' && <Chat onClose={closePanel} />}
        {panel === 'polls' && <Polls onClose={closePanel} />}
        <Connection password={password} />
        <Voices />
        <ViewersReacted />
        <NoticeStack panel={panel} onPanel={setPanel} onDialog={setDialog} />
      </main>
      <Bar panel={panel} onPanel={toggle} onDialog={setDialog} onFloat={float} />
      <Sheet opened={dialog === 'devices'} onClose={closeDialog} title={t('settings.title')}>
        <Stack>
          <DeviceChoice />
          <PreferenceFields />
        </Stack>
      </Sheet>
      <Sheet opened={dialog === 'share'} onClose={closeDialog} title={t('meeting.share')}>
        <Suspense>
          <ShareDialog onClose={closeDialog} />
        </Suspense>
      </Sheet>
      <Sheet opened={dialog === 'stats'} onClose={closeDialog} title={t('keys.stats')} size="xl">
        <Suspense>
          <Statistics />
        </Suspense>
      </Sheet>
      <Invite password={password} opened={dialog === 'invite'} onClose={closeDialog} />
      <Scale opened={dialog === 'scale'} onClose={closeDialog} />
      <Breakouts opened={dialog === 'breakouts'} onClose={closeDialog} />
      <Sheet opened={dialog === 'pushes'} onClose={closeDialog} title={t('push.title')}>
        <Pushes />
      </Sheet>
      <ShortcutHelp opened={dialog === 'keys'} onClose={closeDialog} />
    </div>
  );
}

/** What goes on as long as the page shows the meeting. */
function live(
  meeting: Meeting,
  onAway: () => void,
  onEnded: (ended: Ended, wasRecorded: boolean) => void,
): () => void {
  const { tell, tellProblem, clear } = useNotices.getState();
  window.huitong = meeting;
  keepSeat(meeting);
  const begin = () => useTalk.getState().begin(meeting.state.chat.at(-1)?.id ?? 0, meeting.state.meeting.id);
  begin();
  const away = (event: PageTransitionEvent) => {
    if (event.persisted) return;
    // Closed, or loaded anew: nobody says which. Without a word the seat would stand empty for a minute.
    onAway();
    meeting.away();
  };
  window.addEventListener('pagehide', away);
  let wasRecorded = meeting.state.meeting.recording;
  const unbridge = isEmbedded ? bridge(meeting) : () => undefined;
  const undo = [
    followDevices(meeting),
    meeting.on('change', () => {
      keepSeat(meeting);
      wasRecorded ||= meeting.state.meeting.recording;
    }),
    meeting.on('notice', notice => {
      // What the host stopped is not sent either, whatever the server does with it.
      if (notice === 'camera_stopped') useLocalMedia.getState().close('camera');
      if (notice === 'share_stopped') useLocalMedia.getState().close('screen');
      // The page's own clock asks, so that whoever comes in late, or is made the host then, is asked too.
      if (notice !== 'ends_soon') tell({ kind: notice });
    }),
    meeting.on('event', event => {
      if (event.type === 'reacted') useTalk.getState().react(event.participant, event.reaction);
      if (event.type === 'viewers_reacted') useTalk.getState().viewersReact(event.sums);
    }),
    meeting.on('anew', begin),
    meeting.on('notShown', ({ source, problem }) => {
      useLocalMedia.getState().close(source);
      tellProblem(problem);
    }),
    meeting.on('ended', ended => {
      forgetSeat(meeting.state.meeting.id);
      unbridge(ended);
      onEnded(ended, wasRecorded);
    }),
  ];
  return () => {
    for (const one of undo) one();
    unbridge();
    window.removeEventListener('pagehide', away);
    delete window.huitong;
    clear();
    // Whoever goes back a page has left.
    if (meeting.state.phase === 'ended') return;
    forgetSeat(meeting.state.meeting.id);
    void meeting.leave();
  };
}
