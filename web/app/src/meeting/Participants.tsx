import type { Participant } from '@huitong/sdk';
import { ActionIcon, Badge, Button, Checkbox, Menu, Text, Tooltip, VisuallyHidden } from '@mantine/core';
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
  Phone,
  Pin,
  RadioTower,
  Star,
  Undo2,
  UserCog,
  UserX,
  Video,
  VideoOff,
} from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Announce } from './Announce';
import { Face } from './Face';
import { Panel } from './Panel';
import styles from './Participants.module.css';
import { Rename } from './Rename';
import { attempt } from './controls';
import { SEARCHED_MIN, inPanelOrder, isMeant } from './people';
import { useTalk } from './talk';
import { useIsHost, useManages, useMayControl, useMeeting, useMeetingState } from './useMeeting';
import { Confirm } from '../parts/Confirm';
import { SearchField } from '../parts/SearchField';
import { Written } from '../parts/Written';

interface ParticipantsProps {
  onClose: () => void;
  /** Opens the chat with somebody. */
  onWrite: (participant: string) => void;
}

/** Characters of what is said to who waits. */
const WAITING_TEXT_MAX = 300;

/** 管理参会者: who is here, and for the host what to do about it. */
export function Participants({ onClose, onWrite }: ParticipantsProps) {
  const { t } = useTranslation();
  const meeting = useMeeting();
  const participants = useMeetingState(state => state.participants);
  const manages = useManages();
  const [renamed, setRenamed] = useState<Participant | null>(null);
  // It stays while its dialog fades.
  const [removed, setRemoved] = useState<Participant | null>(null);
  const [isRemoving, setRemoving] = useState(false);
  const [search, setSearch] = useState('');
  const isSearched = participants.length >= SEARCHED_MIN;
  const found = isSearched ? participants.filter(one => isMeant(one, search)) : participants;
  return (
    <Panel
      name="participants"
      title={t(manages ? 'meeting.manageCount' : 'meeting.participantsCount', { count: participants.length })}
      onClose={onClose}
    >
      {manages && <Door />}
      {isSearched && (
        <SearchField
          mx="md"
          mb="xs"
          size="xs"
          label={t('meeting.search')}
          value={search}
          onChange={setSearch}
          testid="participants-search"
        />
      )}
      <ul className={styles.list} tabIndex={0} aria-label={t('meeting.participants')}>
        {found.length === 0 && (
          <Text component="li" fz="sm" c="dimmed" ta="center" mt="md">
            {t('meeting.nobody')}
          </Text>
        )}
        {inPanelOrder(found, meeting.you).map(participant => (
          <Row
            key={participant.id}
            participant={participant}
            onRename={() => setRenamed(participant)}
            onRemove={() => {
              setRemoved(participant);
              setRemoving(true);
            }}
            onWrite={() => onWrite(participant.id)}
          />
        ))}
      </ul>
      {manages && <All />}
      <Rename participant={renamed} onClose={() => setRenamed(null)} />
      <Confirm
        opened={isRemoving}
        title={t('meeting.removeWhom', { name: removed?.name ?? '' })}
        action={t('meeting.remove')}
        onConfirm={() => {
          if (removed) void attempt(() => meeting.remove(removed.id));
        }}
        onClose={() => setRemoving(false)}
      >
        {t('meeting.removeSure')}
      </Confirm>
    </Panel>
  );
}

interface RowProps {
  participant: Participant;
  onRename: () => void;
  onRemove: () => void;
  onWrite: () => void;
}

function Row({ participant, onRename, onRemove, onWrite }: RowProps) {
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
  const { id, name, via, role, camera, screen, hand } = participant;
  const isSelf = id === meeting.you;
  const isPinned = pinned === id;
  return (
    <Menu position="bottom-end" width={210} shadow="md">
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
        {mayControl && via !== 'phone' && (
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

/** Who waits, and the host's hand on the door. */
function Door() {
  const { t } = useTranslation();
  const meeting = useMeeting();
  const waiting = useMeetingState(state => state.waiting);
  if (waiting.length === 0) return null;
  return (
    <section
      className={styles.door}
      aria-label={t('meeting.waiting', { count: waiting.length })}
      data-testid="door"
    >
      <div className={styles.doorHead}>
        <Text fz="sm" fw={600}>
          {t('meeting.waiting', { count: waiting.length })}
        </Text>
        <Button
          size="compact-xs"
          variant="light"
          onClick={() => void attempt(() => meeting.admitAll())}
          data-testid="admit-all"
        >
          {t('meeting.admitAll')}
        </Button>
      </div>
      {waiting.map(({ id, name, via }) => (
        <div key={id} className={styles.row} data-testid="waiting-row" data-name={name}>
          <span className={styles.who}>
            <Text fz="sm" className={styles.name}>
              <Written text={name} />
            </Text>
          </span>
          {via === 'phone' && <Phone size={16} className={styles.via} aria-label={t('meeting.byPhone')} />}
          <Button size="compact-xs" onClick={() => void attempt(() => meeting.admit(id))} data-testid="admit">
            {t('meeting.admit')}
          </Button>
          <Button
            size="compact-xs"
            variant="subtle"
            color="red"
            onClick={() => void attempt(() => meeting.deny(id))}
            data-testid="deny"
          >
            {t('meeting.deny')}
          </Button>
        </div>
      ))}
      <div className={styles.tellDoor}>
        <Announce
          label={t('meeting.tellWaiting')}
          action={t('meeting.tellWaitingDo')}
          most={WAITING_TEXT_MAX}
          testid="tell-waiting"
          onSend={text => meeting.tellWaiting(text)}
        />
      </div>
    </section>
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

/** 全体静音, 全体解除静音. */
function All() {
  const { t } = useTranslation();
  const meeting = useMeeting();
  const {
    locked,
    mute_on_entry: isMutedOnEntry,
    self_unmute: selfUnmute,
  } = useMeetingState(state => state.meeting);
  const hasHands = useMeetingState(({ participants }) => participants.some(({ hand }) => hand));
  return (
    <footer className={styles.foot}>
      {locked && (
        <Badge variant="light" color="yellow">
          {t('meeting.locked')}
        </Badge>
      )}
      <Checkbox
        size="xs"
        label={t('meeting.allowSelfUnmute')}
        checked={selfUnmute}
        onChange={event => {
          const on = event.currentTarget.checked;
          void attempt(() => meeting.allowSelfUnmute(on));
        }}
        data-testid="allow-self-unmute"
      />
      <Checkbox
        size="xs"
        label={t('meeting.muteOnEntry')}
        checked={isMutedOnEntry}
        onChange={event => {
          const on = event.currentTarget.checked;
          void attempt(() => meeting.muteOnEntry(on));
        }}
        data-testid="mute-on-entry"
      />
      {hasHands && (
        <Button
          size="compact-sm"
          variant="subtle"
          leftSection={<HandGrab size={15} />}
          onClick={() => void attempt(() => meeting.lowerHands())}
          data-testid="lower-hands"
        >
          {t('meeting.lowerHands')}
        </Button>
      )}
      <div className={styles.all}>
        <Button
          flex={1}
          variant="default"
          size="xs"
          leftSection={<MicOff size={15} />}
          onClick={() => void attempt(() => meeting.muteAll(selfUnmute))}
          data-testid="mute-all"
        >
          {t('meeting.muteAll')}
        </Button>
        <Button
          flex={1}
          variant="default"
          size="xs"
          leftSection={<Mic size={15} />}
          onClick={() => void attempt(() => meeting.unmuteAll())}
          data-testid="unmute-all"
        >
          {t('meeting.unmuteAll')}
        </Button>
      </div>
    </footer>
  );
}
