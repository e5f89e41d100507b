import { Menu } from '@mantine/core';
import { useMediaQuery } from '@mantine/hooks';
import {
  LogOut,
  MessageSquare,
  Mic,
  MicOff,
  MonitorUp,
  MonitorX,
  OctagonX,
  Radio,
  Users,
  Video,
  VideoOff,
} from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { useLocalMedia } from '../media/local';
import styles from './Bar.module.css';
import { BarButton } from './BarButton';
import { More } from './More';
import type { PanelName } from './Panel';
import { Reactions } from './Reactions';
import type { Dialog } from './Room';
import { attempt, toggleCamera, toggleMicrophone } from './controls';
import { unread, useTalk } from './talk';
import { useSharing } from './useSharing';
import { useIsHost, useManages, useMayShare, useMe, useMeeting, useMeetingState } from './useMeeting';

interface BarProps {
  panel: PanelName | null;
  onPanel: (panel: PanelName) => void;
  onDialog: (dialog: Dialog) => void;
  onFloat: () => void;
}

/** Everything one can do, in the order of how often. */
export function Bar({ panel, onPanel, onDialog, onFloat }: BarProps) {
  const { t } = useTranslation();
  const meeting = useMeeting();
  const me = useMe();
  const isHost = useIsHost();
  const manages = useManages();
  const count = useMeetingState(({ participants }) => participants.length);
  const hands = useMeetingState(({ participants, you }) =>
    manages ? participants.filter(({ id, hand }) => hand && id !== you).length : 0,
  );
  const waiting = useMeetingState(state => (manages ? state.waiting.length : 0));
  const camera = useLocalMedia(state => state.camera);
  const isNarrow = useMediaQuery('(max-width: 620px)');
  const isMuted = me?.muted ?? true;

  return (
    <nav className={styles.bar} aria-label={t('meeting.controls')}>
      <div className={styles.group}>
        <BarButton
          icon={isMuted ? <MicOff size={22} /> : <Mic size={22} />}
          label={isMuted ? t('meeting.unmute') : t('meeting.mute')}
          tone={isMuted ? 'off' : undefined}
          onClick={() => void toggleMicrophone(meeting)}
          data-testid="toggle-mic"
        />
        <BarButton
          icon={camera ? <Video size={22} /> : <VideoOff size={22} />}
          label={camera ? t('meeting.stopVideo') : t('meeting.startVideo')}
          short={t('bar.video')}
          tone={camera ? undefined : 'off'}
          onClick={() => void toggleCamera()}
          data-testid="toggle-camera"
        />
      </div>
      <div className={styles.group}>
        {!isNarrow && <ShareButton onOpen={() => onDialog('share')} />}
        <BarButton
          icon={<Users size={22} />}
          label={manages ? t('meeting.manage') : t('meeting.participants')}
          short={t('bar.people')}
          count={count}
          {...(hands > 0 && { hands })}
          {...(waiting > 0 && { waiting })}
          spoken={[
            ...(waiting > 0 ? [t('meeting.waiting', { count: waiting })] : []),
            ...(hands > 0 ? [t('meeting.handsUp', { count: hands })] : []),
          ]}
          tone={panel === 'participants' ? 'on' : undefined}
          aria-pressed={panel === 'participants'}
          onClick={() => onPanel('participants')}
          data-testid="toggle-participants"
        />
        <ChatButton isOpen={panel === 'chat'} onToggle={() => onPanel('chat')} />
        <Reactions />
        {!isNarrow && isHost && <BroadcastButton />}
        <More isNarrow={isNarrow} onPolls={() => onPanel('polls')} onDialog={onDialog} onFloat={onFloat} />
      </div>
      <div className={styles.group}>
        <LeaveButton />
      </div>
    </nav>
  );
}

/** Where the host alone shares, it says so rather than being refused. */
function ShareButton({ onOpen }: { onOpen: () => void }) {
  const { t } = useTranslation();
  const sharing = useSharing();
  const mayShare = useMayShare();
  return (
    <BarButton
      icon={sharing.isOn || !mayShare ? <MonitorX size={22} /> : <MonitorUp size={22} />}
      label={sharing.isOn ? t('meeting.stopShare') : mayShare ? t('meeting.share') : t('meeting.shareLocked')}
      tone={sharing.isOn ? 'on' : undefined}
      disabled={!mayShare && !sharing.isOn}
      onClick={() => (sharing.isOn ? sharing.stop() : onOpen())}
      data-testid={sharing.isOn ? 'stop-sharing' : 'share'}
    />
  );
}

function ChatButton({ isOpen, onToggle }: { isOpen: boolean; onToggle: () => void }) {
  const { t } = useTranslation();
  const seen = useTalk(state => state.seen);
  // What viewers of the livestream ask is read there too, and whose hands are up.
  const fresh = useMeetingState(
    ({ chat, questions, viewerHands, you }) =>
      unread(chat, seen, you) + unread(questions, seen, you) + viewerHands.length,
  );
  return (
    <BarButton
      icon={<MessageSquare size={22} />}
      label={t('chat.title')}
      {...(fresh > 0 && { count: fresh, alarming: true, spoken: [t('chat.unread', { count: fresh })] })}
      tone={isOpen ? 'on' : undefined}
      aria-pressed={isOpen}
      onClick={onToggle}
      data-testid="toggle-chat"
      data-unread={fresh}
    />
  );
}

function BroadcastButton() {
  const { t } = useTranslation();
  const meeting = useMeeting();
  const isOn = useMeetingState(({ broadcast }) => broadcast !== null);
  const mayBe = useMeetingState(state => state.meeting.livestream);
  if (!mayBe && !isOn) return null;
  return (
    <BarButton
      icon={<Radio size={22} />}
      label={isOn ? t('broadcast.stop') : t('broadcast.start')}
      tone={isOn ? 'on' : undefined}
      onClick={() => void attempt(() => (isOn ? meeting.stopBroadcast() : meeting.startBroadcast()))}
      data-testid={isOn ? 'stop-broadcast' : 'start-broadcast'}
    />
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
        short={t('bar.leave')}
        tone="danger"
        onClick={() => void meeting.leave()}
        data-testid="leave"
      />
    );
  }
  return (
    <Menu position="top-end" width={220} shadow="md">
      <Menu.Target>
        <BarButton
          icon={<LogOut size={22} />}
          label={t('meeting.over')}
          short={t('bar.leave')}
          tone="danger"
          data-testid="leave"
        />
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
