import type { Participant } from '@huitong/sdk';
import { Badge, Button, Checkbox, Text } from '@mantine/core';
import { HandGrab, Mic, MicOff, Phone } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Announce } from './Announce';
import { Panel } from './Panel';
import { ParticipantRow } from './ParticipantRow';
import styles from './Participants.module.css';
import { Rename } from './Rename';
import { attempt } from './controls';
import { SEARCHED_MIN, inPanelOrder, isMeant } from './people';
import { useManages, useMeeting, useMeetingState } from './useMeeting';
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
          <ParticipantRow
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
