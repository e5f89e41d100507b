import type { BroadcastLayout } from '@huitong/sdk';
import { Menu } from '@mantine/core';
import { useHotkeys, useMediaQuery } from '@mantine/hooks';
import {
  Check,
  Circle,
  DoorOpen,
  Ellipsis,
  Grid2x2,
  Hand,
  Lock,
  LockOpen,
  LogOut,
  Mic,
  MicOff,
  MonitorX,
  MonitorUp,
  OctagonX,
  Presentation,
  Radio,
  Settings,
  Users,
  Video,
  VideoOff,
} from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { canShareScreen, useLocalMedia } from '../media/local';
import { PreferenceItems } from '../parts/Preferences';
import { useSettings } from '../settings';
import styles from './Bar.module.css';
import { BarButton } from './BarButton';
import { attempt, toggleCamera, toggleMicrophone, toggleScreen } from './controls';
import { useIsHost, useManages, useMe, useMeeting, useMeetingState } from './useMeeting';

interface BarProps {
  isPanelOpen: boolean;
  onPanel: () => void;
  onDevices: () => void;
}

/** Everything one can do, in the order of how often. */
export function Bar({ isPanelOpen, onPanel, onDevices }: BarProps) {
  const { t } = useTranslation();
  const meeting = useMeeting();
  const me = useMe();
  const isHost = useIsHost();
  const count = useMeetingState(({ participants }) => participants.length);
  const { camera, screen } = useLocalMedia();
  const isNarrow = useMediaQuery('(max-width: 620px)');
  const isMuted = me?.muted ?? true;
  const isHandUp = me?.hand ?? false;

  useHotkeys([
    ['m', () => void toggleMicrophone(meeting)],
    ['v', () => void toggleCamera()],
    ['p', onPanel],
  ]);

  return (
    <nav className={styles.bar} aria-label={t('meeting.controls')}>
      <div className={styles.group}>
        <BarButton
          icon={isMuted ? <MicOff size={22} /> : <Mic size={22} />}
          label={isMuted ? t('meeting.unmute') : t('meeting.mute')}
          tone={isMuted ? 'off' : undefined}
          aria-pressed={!isMuted}
          onClick={() => void toggleMicrophone(meeting)}
          data-testid="toggle-mic"
        />
        <BarButton
          icon={camera ? <Video size={22} /> : <VideoOff size={22} />}
          label={camera ? t('meeting.stopVideo') : t('meeting.startVideo')}
          tone={camera ? undefined : 'off'}
          aria-pressed={camera !== null}
          onClick={() => void toggleCamera()}
          data-testid="toggle-camera"
        />
      </div>
      <div className={styles.group}>
        {canShareScreen() && (
          <BarButton
            icon={screen ? <MonitorX size={22} /> : <MonitorUp size={22} />}
            label={screen ? t('meeting.stopShare') : t('meeting.share')}
            tone={screen ? 'on' : undefined}
            aria-pressed={screen !== null}
            onClick={() => void toggleScreen()}
            data-testid="toggle-screen"
          />
        )}
        <BarButton
          icon={<Users size={22} />}
          label={isHost ? t('meeting.manage') : t('meeting.participants')}
          count={count}
          tone={isPanelOpen ? 'on' : undefined}
          aria-pressed={isPanelOpen}
          onClick={onPanel}
          data-testid="toggle-participants"
        />
        {!isNarrow && (
          <BarButton
            icon={<Hand size={22} />}
            label={isHandUp ? t('meeting.lowerHand') : t('meeting.raiseHand')}
            tone={isHandUp ? 'on' : undefined}
            aria-pressed={isHandUp}
            onClick={() => void attempt(() => meeting.raiseHand(!isHandUp))}
            data-testid="toggle-hand"
          />
        )}
        {!isNarrow && isHost && <BroadcastButton />}
        <More isNarrow={isNarrow} onDevices={onDevices} />
      </div>
      <div className={styles.group}>
        <LeaveButton />
      </div>
    </nav>
  );
}

function BroadcastButton() {
  const { t } = useTranslation();
  const meeting = useMeeting();
  const isOn = useMeetingState(({ broadcast }) => broadcast !== null);
  return isOn ? (
    <BarButton
      icon={<Radio size={22} />}
      label={t('broadcast.stop')}
      tone="on"
      onClick={() => void attempt(() => meeting.stopBroadcast())}
      data-testid="stop-broadcast"
    />
  ) : (
    <BarButton
      icon={<Radio size={22} />}
      label={t('broadcast.start')}
      onClick={() => void attempt(() => meeting.startBroadcast())}
      data-testid="start-broadcast"
    />
  );
}

const LAYOUTS: BroadcastLayout[] = ['speaker', 'gallery', 'picture_in_picture'];

/** What the audience sees, for the host to choose. */
function BroadcastLayouts() {
  const { t } = useTranslation();
  const meeting = useMeeting();
  const shown = useMeetingState(({ broadcast }) => broadcast?.layout);
  return (
    <>
      <Menu.Divider />
      <Menu.Label>{t('broadcast.layout')}</Menu.Label>
      {LAYOUTS.map(layout => (
        <Menu.Item
          key={layout}
          role="menuitemradio"
          aria-checked={shown === layout}
          leftSection={shown === layout ? <Check size={16} /> : <Radio size={16} />}
          onClick={() => void attempt(() => meeting.layout(layout))}
          data-testid={`broadcast-layout-${layout}`}
        >
          {t(`broadcast.${layout}`)}
        </Menu.Item>
      ))}
      <Menu.Divider />
    </>
  );
}

function More({ isNarrow, onDevices }: { isNarrow: boolean; onDevices: () => void }) {
  const { t } = useTranslation();
  const meeting = useMeeting();
  const isHost = useIsHost();
  const manages = useManages();
  const hasWaitingRoom = useMeetingState(state => state.meeting.waiting_room);
  const isShareLocked = useMeetingState(state => state.meeting.share_locked);
  const isHandUp = useMe()?.hand ?? false;
  const isLocked = useMeetingState(state => state.meeting.locked);
  const isBroadcast = useMeetingState(({ broadcast }) => broadcast !== null);
  const isRecording = useMeetingState(state => state.meeting.recording);
  const { layout, remember } = useSettings();
  return (
    <Menu position="top" width={220} shadow="md">
      <Menu.Target>
        <BarButton icon={<Ellipsis size={22} />} label={t('meeting.more')} data-testid="more" />
      </Menu.Target>
      <Menu.Dropdown>
        {isNarrow && (
          <Menu.Item
            leftSection={<Hand size={16} />}
            onClick={() => void attempt(() => meeting.raiseHand(!isHandUp))}
            data-testid="toggle-hand"
          >
            {isHandUp ? t('meeting.lowerHand') : t('meeting.raiseHand')}
          </Menu.Item>
        )}
        <Menu.Item
          leftSection={layout === 'speaker' ? <Grid2x2 size={16} /> : <Presentation size={16} />}
          onClick={() => remember({ layout: layout === 'speaker' ? 'gallery' : 'speaker' })}
        >
          {layout === 'speaker' ? t('meeting.gallery') : t('meeting.speaker')}
        </Menu.Item>
        <Menu.Item leftSection={<Settings size={16} />} onClick={onDevices} data-testid="open-devices">
          {t('devices.title')}
        </Menu.Item>
        {manages && (
          <Menu.Item
            leftSection={isLocked ? <LockOpen size={16} /> : <Lock size={16} />}
            onClick={() => void attempt(() => meeting.lock(!isLocked))}
            data-testid="toggle-lock"
          >
            {isLocked ? t('meeting.unlock') : t('meeting.lock')}
          </Menu.Item>
        )}
        {manages && (
          <Menu.Item
            leftSection={<DoorOpen size={16} />}
            onClick={() => void attempt(() => meeting.waitingRoom(!hasWaitingRoom))}
            data-testid="toggle-waiting-room"
          >
            {hasWaitingRoom ? t('meeting.waitingRoomOff') : t('meeting.waitingRoomOn')}
          </Menu.Item>
        )}
        {manages && (
          <Menu.Item
            leftSection={<MonitorX size={16} />}
            onClick={() => void attempt(() => meeting.lockShare(!isShareLocked))}
            data-testid="toggle-lock-share"
          >
            {isShareLocked ? t('meeting.unlockShare') : t('meeting.lockShare')}
          </Menu.Item>
        )}
        {isNarrow && isHost && (
          <Menu.Item
            leftSection={<Radio size={16} />}
            onClick={() =>
              void attempt(() => (isBroadcast ? meeting.stopBroadcast() : meeting.startBroadcast()))
            }
            data-testid={isBroadcast ? 'stop-broadcast' : 'start-broadcast'}
          >
            {isBroadcast ? t('broadcast.stop') : t('broadcast.start')}
          </Menu.Item>
        )}
        {isHost && (
          <Menu.Item
            leftSection={<Circle size={16} />}
            onClick={() =>
              void attempt(() => (isRecording ? meeting.stopRecording() : meeting.startRecording()))
            }
            data-testid="toggle-recording"
          >
            {isRecording ? t('recording.stop') : t('recording.start')}
          </Menu.Item>
        )}
        {isHost && isBroadcast && <BroadcastLayouts />}
        <PreferenceItems />
      </Menu.Dropdown>
    </Menu>
  );
}

/** A member leaves at once; a host says for whom it is over (C16). */
function LeaveButton() {
  const { t } = useTranslation();
  const meeting = useMeeting();
  const isHost = useIsHost();
  if (!isHost) {
    return (
      <BarButton
        icon={<LogOut size={22} />}
        label={t('meeting.leave')}
        tone="danger"
        onClick={() => void meeting.leave()}
        data-testid="leave"
      />
    );
  }
  return (
    <Menu position="top-end" width={220} shadow="md">
      <Menu.Target>
        <BarButton icon={<LogOut size={22} />} label={t('meeting.over')} tone="danger" data-testid="leave" />
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item
          leftSection={<LogOut size={16} />}
          onClick={() => void meeting.leave()}
          data-testid="leave-alone"
        >
          {t('meeting.leaveAlone')}
        </Menu.Item>
        <Menu.Item
          color="red"
          leftSection={<OctagonX size={16} />}
          onClick={() => void attempt(() => meeting.end())}
          data-testid="end-meeting"
        >
          {t('meeting.end')}
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
