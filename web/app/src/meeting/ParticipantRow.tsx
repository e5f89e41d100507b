import type { Participant } from '@huitong/sdk';
import { ActionIcon, Menu, Text, Tooltip, VisuallyHidden } from '@mantine/core';
import {
  Crown,
  EllipsisVertical,
  Hand,
  HandGrab,
  MessageSquare,
  Mic,
  MicOff,
  MonitorX,
  PenLine,
  Pin,
  RadioTower,
  Star,
  Undo2,
  UserCog,
  UserX,
  Video,
  VideoOff,
} from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { Face } from './Face';
import styles from './Participants.module.css';
import { attempt } from './controls';
import { useTalk } from './talk';
import { useIsHost, useManages, useMayControl, useMeeting, useMeetingState } from './useMeeting';
import { Written } from '../parts/Written';

interface RowProps {
  participant: Participant;
  onRename: () => void;
  onRemove: () => void;
  onWrite: () => void;
}

/** One who is here, and what can be done about him. */
export function ParticipantRow({ participant, onRename, onRemove, onWrite }: RowProps) {
  const { t } = useTranslation();
  const {
    id,
    name,
    number,
    avatar,
    via,
    role,
    muted,
    camera,
    hand,
    connected,
    on_hold,
    line_trouble,
    network_poor,
    from_audience,
  } = participant;
  const meeting = useMeeting();
  const isSelf = id === meeting.you;
  const mayControl = useMayControl(participant);
  const isSpeaking = useMeetingState(({ speaking }) => speaking.includes(id)) && !muted;
  const details = [
    role === 'host' && t('meeting.host'),
    role === 'co_host' && t('meeting.coHost'),
    from_audience && t('viewers.fromAudience'),
    number !== name && number,
    !connected && t('meeting.lost'),
    connected && network_poor && t('quality.poor'),
    on_hold && t('meeting.onHold'),
    line_trouble && t(`meeting.line.${line_trouble}`),
  ].filter(detail => typeof detail === 'string');
  return (
    <li
      className={styles.row}
      data-lost={!connected || undefined}
      data-testid="participant-row"
      data-participant={id}
      data-name={name}
      data-via={via}
      data-role={role}
      data-muted={muted}
      data-speaking={isSpeaking}
      data-line={line_trouble ?? undefined}
    >
      <Face id={id} name={name} avatar={avatar} isPhone={via === 'phone'} />
      <span className={styles.who}>
        <Text fz="sm" className={styles.name}>
          <Written text={name} />
          {isSelf && <span>{t('meeting.you')}</span>}
        </Text>
        {details.length > 0 && (
          <Text fz="xs" c="dimmed" truncate>
            {details.join(' · ')}
          </Text>
        )}
      </span>
      {hand && <Hand size={16} className={styles.hand} aria-label={t('meeting.handUp')} />}
      {via === 'phone' && <VisuallyHidden>{t('meeting.byPhone')}</VisuallyHidden>}
      {via === 'encoder' && (
        <RadioTower size={16} className={styles.via} aria-label={t('meeting.byEncoder')} />
      )}
      {camera && <Video size={16} className={styles.via} aria-label={t('meeting.cameraOn')} />}
      <Sound participant={participant} isSpeaking={isSpeaking} mayControl={mayControl} />
      {mayControl && (
        <Tooltip label={t('meeting.remove')}>
          <ActionIcon
            className={styles.wide}
            variant="subtle"
            color="red"
            aria-label={t('meeting.removeWhom', { name })}
            onClick={onRemove}
            data-testid="row-remove"
          >
            <UserX size={17} />
          </ActionIcon>
        </Tooltip>
      )}
      <RowMenu
        participant={participant}
        mayControl={mayControl}
        onRename={onRename}
        onRemove={onRemove}
        onWrite={onWrite}
      />
    </li>
  );
}

function RowMenu({
  participant,
  mayControl,
  onRename,
  onRemove,
  onWrite,
}: RowProps & { mayControl: boolean }) {
  const { t } = useTranslation();
  const meeting = useMeeting();
  const isHost = useIsHost();
  const manages = useManages();
  const isSpotlit = useMeetingState(state => state.meeting.spotlight) === participant.id;
  const { pinned, pin } = useTalk();
  const { id, name, via, video, role, camera, screen, hand } = participant;
  const isSelf = id === meeting.you;
  const isPinned = pinned === id;
  return (
    <Menu position="bottom-end" width={240} shadow="md">
      <Menu.Target>
        <ActionIcon
          variant="subtle"
          color="gray"
          aria-label={t('meeting.moreAbout', { name })}
          data-testid="row-more"
        >
          <EllipsisVertical size={17} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        {!isSelf && via === 'web' && (
          <Menu.Item leftSection={<MessageSquare size={16} />} onClick={onWrite} data-testid="row-chat">
            {t('meeting.chatWith')}
          </Menu.Item>
        )}
        {!isSelf && (
          <Menu.Item
            leftSection={<Pin size={16} />}
            onClick={() => pin(isPinned ? null : id)}
            data-testid="row-pin"
          >
            {isPinned ? t('meeting.unpin') : t('meeting.pin')}
          </Menu.Item>
        )}
        {manages && (
          <Menu.Item
            leftSection={<Star size={16} />}
            onClick={() => void attempt(() => meeting.spotlight(isSpotlit ? null : id))}
            data-testid="row-spotlight"
          >
            {isSpotlit ? t('meeting.unspotlight') : t('meeting.spotlight')}
          </Menu.Item>
        )}
        {(mayControl || isSelf) && (
          <Menu.Item leftSection={<PenLine size={16} />} onClick={onRename} data-testid="row-rename">
            {t('meeting.rename')}
          </Menu.Item>
        )}
        {mayControl && (via !== 'phone' || video) && (
          <Menu.Item
            leftSection={camera ? <VideoOff size={16} /> : <Video size={16} />}
            onClick={() => void attempt(() => (camera ? meeting.stopCamera(id) : meeting.askCamera(id)))}
            data-testid="row-camera"
          >
            {camera ? t('meeting.stopTheirVideo') : t('meeting.askVideo')}
          </Menu.Item>
        )}
        {mayControl && screen && (
          <Menu.Item
            leftSection={<MonitorX size={16} />}
            onClick={() => void attempt(() => meeting.stopScreen(id))}
            data-testid="row-stop-screen"
          >
            {t('meeting.stopTheirShare')}
          </Menu.Item>
        )}
        {manages && !isSelf && hand && (
          <Menu.Item
            leftSection={<HandGrab size={16} />}
            onClick={() => void attempt(() => meeting.lowerHand(id))}
            data-testid="row-lower-hand"
          >
            {t('meeting.lowerHand')}
          </Menu.Item>
        )}
        {/* Of telephones too, whose keys are a host's then (P5); a machine leads nobody. */}
        {isHost && !isSelf && via !== 'encoder' && (
          <>
            <Menu.Item
              leftSection={<Crown size={16} />}
              onClick={() => void attempt(() => meeting.makeHost(id))}
              data-testid="row-make-host"
            >
              {t('meeting.makeHost')}
            </Menu.Item>
            <Menu.Item
              leftSection={<UserCog size={16} />}
              onClick={() => void attempt(() => meeting.makeCoHost(id, role !== 'co_host'))}
              data-testid="row-make-co-host"
            >
              {role === 'co_host' ? t('meeting.unmakeCoHost') : t('meeting.makeCoHost')}
            </Menu.Item>
          </>
        )}
        {mayControl && participant.from_audience && (
          <Menu.Item
            leftSection={<Undo2 size={16} />}
            onClick={() => void attempt(() => meeting.sendBack(id))}
            data-testid="row-send-back"
          >
            {t('viewers.sendBack')}
          </Menu.Item>
        )}
        {mayControl && (
          <Menu.Item
            color="red"
            leftSection={<UserX size={16} />}
            onClick={onRemove}
            data-testid="menu-remove"
          >
            {t('meeting.remove')}
          </Menu.Item>
        )}
      </Menu.Dropdown>
    </Menu>
  );
}

interface SoundProps {
  participant: Participant;
  isSpeaking: boolean;
  mayControl: boolean;
}

/** The microphone as others hear it; the host's way to change that. */
function Sound({ participant, isSpeaking, mayControl }: SoundProps) {
  const { t } = useTranslation();
  const { id, name, via } = participant;
  // Music of a telephone is not heard until somebody wants it.
  const muted = participant.muted || participant.line_trouble === 'music';
  const meeting = useMeeting();
  const icon = muted ? <MicOff size={17} /> : <Mic size={17} />;
  if (!mayControl) {
    return (
      <span
        className={styles.sound}
        data-muted={muted}
        data-speaking={isSpeaking}
        role="img"
        aria-label={muted ? t('meeting.muted') : t('meeting.unmuted')}
      >
        {icon}
      </span>
    );
  }
  // A telephone is opened, a browser is asked (C8).
  const label = !muted ? t('meeting.mute') : via === 'web' ? t('meeting.askUnmute') : t('meeting.unmute');
  return (
    <Tooltip label={label}>
      <ActionIcon
        variant="subtle"
        color={muted ? 'red' : isSpeaking ? 'teal' : 'gray'}
        aria-label={`${label}: ${name}`}
        onClick={() => void attempt(() => (muted ? meeting.unmute(id) : meeting.mute(id)))}
        data-testid={muted ? 'row-unmute' : 'row-mute'}
      >
        {icon}
      </ActionIcon>
    </Tooltip>
  );
}
