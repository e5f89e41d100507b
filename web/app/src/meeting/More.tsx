import type { BroadcastLayout } from '@huitong/sdk';
import { Menu } from '@mantine/core';
import {
  Activity,
  CalendarPlus,
  ChartColumn,
  Circle,
  Copy,
  DoorOpen,
  Ellipsis,
  Grid2x2,
  Keyboard,
  Lock,
  LockOpen,
  MonitorUp,
  MonitorX,
  PictureInPicture2,
  Presentation,
  Radio,
  Settings,
  Share2,
  Square,
  UserPlus,
  UsersRound,
} from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { useCopy } from '../parts/useCopy';
import { useSettings } from '../settings';
import { BarButton } from './BarButton';
import type { Dialog } from './Room';
import { toggleLayout } from './Shortcuts';
import { attempt } from './controls';
import { canFloat } from './usePictureInPicture';
import { useSharing } from './useSharing';
import { useIsHost, useManages, useMayShare, useMeeting, useMeetingState } from './useMeeting';
import { useWatchAddress } from './useWatchAddress';

interface MoreProps {
  isNarrow: boolean;
  onPolls: () => void;
  onDialog: (dialog: Dialog) => void;
  onFloat: () => void;
}

/** 更多: what is wanted once a meeting, and on a phone what its bar has no room for. */
export function More({ isNarrow, onPolls, onDialog, onFloat }: MoreProps) {
  const { t } = useTranslation();
  const manages = useManages();
  const isHost = useIsHost();
  const layout = useSettings(state => state.layout);
  const isScalable = useMeetingState(state => state.meeting.scalable);
  const hasOpenPoll = useMeetingState(({ polls }) => polls.some(({ open }) => open));
  return (
    <Menu position="top" width={230} shadow="md">
      <Menu.Target>
        <BarButton icon={<Ellipsis size={22} />} label={t('meeting.more')} data-testid="more" />
      </Menu.Target>
      <Menu.Dropdown mah="calc(100dvh - 96px)" style={{ overflowY: 'auto' }}>
        {isNarrow && <Share onOpen={() => onDialog('share')} />}
        <Menu.Item
          leftSection={<UserPlus size={16} />}
          onClick={() => onDialog('invite')}
          data-testid="open-invite"
        >
          {t('home.invite')}
        </Menu.Item>
        <Menu.Item
          leftSection={<ChartColumn size={16} />}
          rightSection={hasOpenPoll && <Circle size={9} fill="currentColor" />}
          onClick={onPolls}
          data-testid="open-polls"
        >
          {t('polls.title')}
        </Menu.Item>
        <Menu.Item
          leftSection={layout === 'speaker' ? <Grid2x2 size={16} /> : <Presentation size={16} />}
          onClick={toggleLayout}
          data-testid="other-layout"
        >
          {layout === 'speaker' ? t('meeting.gallery') : t('meeting.speaker')}
        </Menu.Item>
        {canFloat() && (
          <Menu.Item
            leftSection={<PictureInPicture2 size={16} />}
            onClick={onFloat}
            data-testid="toggle-float"
          >
            {t('meeting.float')}
          </Menu.Item>
        )}
        {isHost && isScalable && (
          <Menu.Item
            leftSection={<CalendarPlus size={16} />}
            onClick={() => onDialog('scale')}
            data-testid="open-scale"
          >
            {t('scale.title')}
          </Menu.Item>
        )}
        {manages && (
          <Menu.Item
            leftSection={<UsersRound size={16} />}
            onClick={() => onDialog('breakouts')}
            data-testid="open-breakout-rooms"
          >
            {t('breakouts.title')}
          </Menu.Item>
        )}
        {isHost && <OnAir isNarrow={isNarrow} onDialog={onDialog} />}
        {manages && <Doors />}
        <Menu.Divider />
        <Menu.Item
          leftSection={<Settings size={16} />}
          onClick={() => onDialog('devices')}
          data-testid="open-devices"
        >
          {t('settings.title')}
        </Menu.Item>
        <Menu.Item
          leftSection={<Activity size={16} />}
          onClick={() => onDialog('stats')}
          data-testid="open-statistics"
        >
          {t('keys.stats')}
        </Menu.Item>
        {!isNarrow && (
          <Menu.Item
            leftSection={<Keyboard size={16} />}
            onClick={() => onDialog('keys')}
            data-testid="open-keys"
          >
            {t('keys.title')}
          </Menu.Item>
        )}
      </Menu.Dropdown>
    </Menu>
  );
}

function Share({ onOpen }: { onOpen: () => void }) {
  const { t } = useTranslation();
  const sharing = useSharing();
  const mayShare = useMayShare();
  return (
    <Menu.Item
      leftSection={sharing.isOn ? <MonitorX size={16} /> : <MonitorUp size={16} />}
      disabled={!mayShare && !sharing.isOn}
      onClick={() => (sharing.isOn ? sharing.stop() : onOpen())}
      data-testid={sharing.isOn ? 'stop-sharing' : 'share'}
    >
      {sharing.isOn ? t('meeting.stopShare') : mayShare ? t('meeting.share') : t('meeting.shareLocked')}
    </Menu.Item>
  );
}

/** 锁定会议, 等候室, 共享锁定. */
function Doors() {
  const { t } = useTranslation();
  const meeting = useMeeting();
  const {
    locked,
    waiting_room: hasWaitingRoom,
    share_locked: isShareLocked,
  } = useMeetingState(state => state.meeting);
  return (
    <>
      <Menu.Item
        leftSection={locked ? <LockOpen size={16} /> : <Lock size={16} />}
        onClick={() => void attempt(() => meeting.lock(!locked))}
        data-testid="toggle-lock"
      >
        {locked ? t('meeting.unlock') : t('meeting.lock')}
      </Menu.Item>
      <Menu.Item
        leftSection={<DoorOpen size={16} />}
        onClick={() => void attempt(() => meeting.waitingRoom(!hasWaitingRoom))}
        data-testid="toggle-waiting-room"
      >
        {hasWaitingRoom ? t('meeting.waitingRoomOff') : t('meeting.waitingRoomOn')}
      </Menu.Item>
      <Menu.Item
        leftSection={<MonitorX size={16} />}
        onClick={() => void attempt(() => meeting.lockShare(!isShareLocked))}
        data-testid="toggle-lock-share"
      >
        {isShareLocked ? t('meeting.unlockShare') : t('meeting.lockShare')}
      </Menu.Item>
    </>
  );
}

const LAYOUTS: BroadcastLayout[] = ['speaker', 'gallery', 'picture_in_picture'];

/** 录制 and 直播, and what its audience sees. */
function OnAir({ isNarrow, onDialog }: { isNarrow: boolean; onDialog: (dialog: Dialog) => void }) {
  const { t } = useTranslation();
  const meeting = useMeeting();
  const isRecording = useMeetingState(state => state.meeting.recording);
  const layout = useMeetingState(({ broadcast }) => broadcast?.layout);
  const watch = useWatchAddress();
  const clipboard = useCopy();
  const isOn = layout !== undefined;
  const mayBe = useMeetingState(state => state.meeting.livestream);
  return (
    <>
      {isNarrow && (mayBe || isOn) && (
        <Menu.Item
          leftSection={<Radio size={16} />}
          onClick={() => void attempt(() => (isOn ? meeting.stopBroadcast() : meeting.startBroadcast()))}
          data-testid={isOn ? 'stop-broadcast' : 'start-broadcast'}
        >
          {isOn ? t('broadcast.stop') : t('broadcast.start')}
        </Menu.Item>
      )}
      <Menu.Item
        leftSection={isRecording ? <Square size={16} color="#c8323c" fill="#c8323c" /> : <Circle size={16} />}
        onClick={() => void attempt(() => (isRecording ? meeting.stopRecording() : meeting.startRecording()))}
        data-testid="toggle-recording"
      >
        {isRecording ? t('recording.stop') : t('recording.start')}
      </Menu.Item>
      {isNarrow && watch && (
        <Menu.Item
          leftSection={<Copy size={16} />}
          closeMenuOnClick={false}
          onClick={() => clipboard.copy(watch)}
          data-testid="copy-watch"
        >
          {t(clipboard.copied ? 'broadcast.copied' : 'broadcast.copy')}
        </Menu.Item>
      )}
      {isOn && (
        <>
          <Menu.Divider />
          <Menu.Label>{t('broadcast.layout')}</Menu.Label>
          <Menu.RadioGroup
            value={layout}
            onChange={one => void attempt(() => meeting.layout(one as BroadcastLayout))}
          >
            {LAYOUTS.map(one => (
              // As wide as the other items' signs, so that all words begin below each other.
              <Menu.RadioItem
                key={one}
                value={one}
                styles={{ itemIndicator: { width: 16, marginInlineEnd: 'var(--mantine-spacing-xs)' } }}
                data-testid={`broadcast-layout-${one}`}
              >
                {t(`broadcast.${one}`)}
              </Menu.RadioItem>
            ))}
          </Menu.RadioGroup>
          <Menu.Item
            leftSection={<Share2 size={16} />}
            onClick={() => onDialog('pushes')}
            data-testid="open-pushes"
          >
            {t('push.title')}
          </Menu.Item>
          <Menu.Divider />
        </>
      )}
    </>
  );
}
