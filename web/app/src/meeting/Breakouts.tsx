import { Badge, Button, Checkbox, Group, NumberInput, Select, Stack, Text } from '@mantine/core';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Sheet } from '../parts/Sheet';
import { attempt } from './controls';
import { useMe, useMeeting, useMeetingState } from './useMeeting';
import { Written } from '../parts/Written';

const ROOMS_MAX = 20;

/** 分组讨论: rooms within the meeting, each hearing and seeing itself. */
export function Breakouts({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  const { t } = useTranslation();
  const rooms = useMeetingState(state => state.meeting.breakouts);
  return (
    <Sheet opened={opened} onClose={onClose} title={t('breakouts.title')}>
      {opened && (rooms === 0 ? <Open /> : <Assign rooms={rooms} />)}
    </Sheet>
  );
}

function Open() {
  const { t } = useTranslation();
  const meeting = useMeeting();
  const [rooms, setRooms] = useState(2);
  const [spread, setSpread] = useState(true);
  return (
    <Stack>
      <Text fz="sm" c="dimmed">
        {t('breakouts.hint')}
      </Text>
      <NumberInput
        label={t('breakouts.rooms')}
        min={1}
        max={ROOMS_MAX}
        clampBehavior="strict"
        allowDecimal={false}
        value={rooms}
        onChange={value => setRooms(Number(value) || 1)}
        data-testid="breakout-rooms"
      />
      <Checkbox
        label={t('breakouts.spread')}
        checked={spread}
        onChange={event => setSpread(event.currentTarget.checked)}
      />
      <Button
        onClick={() => void attempt(() => meeting.openBreakouts(rooms, spread))}
        data-testid="open-breakouts"
      >
        {t('breakouts.open')}
      </Button>
    </Stack>
  );
}

function Assign({ rooms }: { rooms: number }) {
  const { t } = useTranslation();
  const meeting = useMeeting();
  const participants = useMeetingState(state => state.participants);
  const choices = [
    { value: '0', label: t('breakouts.main') },
    ...Array.from({ length: rooms }, (_, index) => ({
      value: String(index + 1),
      label: t('breakouts.room', { room: index + 1 }),
    })),
  ];
  return (
    <Stack>
      {participants.map(({ id, name, room }) => (
        <Group key={id} justify="space-between" wrap="nowrap">
          <Text fz="sm" truncate>
            <Written text={name} />
          </Text>
          <Select
            aria-label={t('breakouts.of', { name })}
            w={150}
            data={choices}
            allowDeselect={false}
            value={String(room ?? 0)}
            onChange={value => void attempt(() => meeting.moveTo(id, Number(value) || null))}
          />
        </Group>
      ))}
      <Button
        variant="default"
        onClick={() => void attempt(() => meeting.closeBreakouts())}
        data-testid="close-breakouts"
      >
        {t('breakouts.close')}
      </Button>
    </Stack>
  );
}

/** Where one is while there are breakout rooms, and the way back. */
export function BreakoutBadge() {
  const { t } = useTranslation();
  const meeting = useMeeting();
  const me = useMe();
  if (!me?.room) return null;
  return (
    <Group gap={6} wrap="nowrap" data-testid="breakout">
      <Badge variant="light">{t('breakouts.room', { room: me.room })}</Badge>
      <Button
        size="compact-xs"
        variant="subtle"
        onClick={() => void attempt(() => meeting.moveTo(me.id, null))}
        data-testid="leave-breakout"
      >
        {t('breakouts.back')}
      </Button>
    </Group>
  );
}
