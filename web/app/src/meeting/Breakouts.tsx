import { Badge, Button, Checkbox, Divider, Group, NumberInput, Select, Stack, Text } from '@mantine/core';
import { LifeBuoy, Shuffle, Undo2 } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { SearchField } from '../parts/SearchField';
import { Sheet } from '../parts/Sheet';
import { Announce } from './Announce';
import { attempt } from './controls';
import { SEARCHED_MIN, isMeant } from './people';
import { useBreakoutsLeft } from './useBreakoutsLeft';
import { useManages, useMe, useMeeting, useMeetingState } from './useMeeting';
import { Written } from '../parts/Written';

const ROOMS_MAX = 20;
const MINUTES_MAX = 240;
const TEXT_MAX = 2_000;

/** The list of people: no taller than this, and as tall while it is searched as before. */
const TALL = '40dvh';
/** A row of it and the gap below. */
const ROW_PX = 44;

/** 分组讨论: rooms within the meeting, each hearing and seeing itself. */
export function Breakouts({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  const { t } = useTranslation();
  const rooms = useMeetingState(state => state.meeting.breakouts);
  return (
    <Sheet opened={opened} onClose={onClose} title={t('breakouts.title')}>
      {opened && (rooms === 0 ? <Open /> : <Manage rooms={rooms} />)}
    </Sheet>
  );
}

function Open() {
  const { t } = useTranslation();
  const meeting = useMeeting();
  const [rooms, setRooms] = useState(2);
  const [spread, setSpread] = useState(true);
  const [minutes, setMinutes] = useState<number | null>(null);
  const open = async () => {
    await meeting.openBreakouts(rooms, spread);
    if (minutes !== null) await meeting.timeBreakouts(minutes);
  };
  return (
    <Stack>
      <Text fz="sm" c="dimmed">
        {t('breakouts.hint')}
      </Text>
      <Group grow align="flex-end">
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
        <Minutes value={minutes} onChange={setMinutes} />
      </Group>
      <Checkbox
        label={t('breakouts.spread')}
        checked={spread}
        onChange={event => setSpread(event.currentTarget.checked)}
      />
      <Button onClick={() => void attempt(open)} data-testid="open-breakouts">
        {t('breakouts.open')}
      </Button>
    </Stack>
  );
}

/** How long the rooms stay open; an empty field: until they are closed. */
function Minutes({ value, onChange }: { value: number | null; onChange: (minutes: number | null) => void }) {
  const { t } = useTranslation();
  return (
    <NumberInput
      label={t('breakouts.minutes')}
      placeholder={t('breakouts.unlimited')}
      min={1}
      max={MINUTES_MAX}
      step={5}
      startValue={10}
      clampBehavior="strict"
      allowDecimal={false}
      allowNegative={false}
      value={value ?? ''}
      onChange={minutes => onChange(Number(minutes) || null)}
      data-testid="breakout-minutes"
    />
  );
}

function Manage({ rooms }: { rooms: number }) {
  const { t } = useTranslation();
  const meeting = useMeeting();
  return (
    <Stack>
      <Assign rooms={rooms} />
      <Button
        variant="light"
        size="xs"
        leftSection={<Shuffle size={15} />}
        style={{ alignSelf: 'flex-start' }}
        onClick={() => void attempt(() => meeting.openBreakouts(rooms, true))}
        data-testid="spread-again"
      >
        {t('breakouts.spreadAgain')}
      </Button>
      <Divider />
      <TellRooms />
      <Divider />
      <Timer />
      <Button
        variant="default"
        leftSection={<Undo2 size={16} />}
        onClick={() => void attempt(() => meeting.closeBreakouts())}
        data-testid="close-breakouts"
      >
        {t('breakouts.close')}
      </Button>
    </Stack>
  );
}

function Assign({ rooms }: { rooms: number }) {
  const { t } = useTranslation();
  const meeting = useMeeting();
  const participants = useMeetingState(state => state.participants);
  const [search, setSearch] = useState('');
  const isSearched = participants.length >= SEARCHED_MIN;
  const found = isSearched ? participants.filter(one => isMeant(one, search)) : participants;
  const choices = [
    { value: '0', label: t('breakouts.main') },
    ...Array.from({ length: rooms }, (_, index) => ({
      value: String(index + 1),
      label: t('breakouts.room', { room: index + 1 }),
    })),
  ];
  return (
    <Stack gap="xs">
      {isSearched && (
        <SearchField
          size="xs"
          label={t('meeting.search')}
          value={search}
          onChange={setSearch}
          testid="breakouts-search"
        />
      )}
      {/* Of many, what is done with the rooms stays in reach below. */}
      <Stack
        gap="xs"
        mah={TALL}
        mih={isSearched ? `min(${TALL}, ${participants.length * ROW_PX}px)` : 0}
        style={{ overflowY: 'auto' }}
      >
        {found.length === 0 && (
          <Text fz="sm" c="dimmed" ta="center">
            {t('meeting.nobody')}
          </Text>
        )}
        {found.map(({ id, name, room, asks_help: asksHelp }) => (
          <Group
            key={id}
            justify="space-between"
            wrap="nowrap"
            data-testid="breakout-person"
            data-name={name}
          >
            {/* Where there is no room beside the name, below it. */}
            <Group gap="2px 6px" miw={0}>
              <Text fz="sm" maw="100%" truncate>
                <Written text={name} />
              </Text>
              {asksHelp && (
                <Badge color="yellow" variant="light" style={{ flexShrink: 0 }} data-testid="asks-help">
                  {t('breakouts.asksHelp')}
                </Badge>
              )}
            </Group>
            <Select
              aria-label={t('breakouts.of', { name })}
              w={150}
              style={{ flexShrink: 0 }}
              data={choices}
              allowDeselect={false}
              value={String(room ?? 0)}
              onChange={value => void attempt(() => meeting.moveTo(id, Number(value) || null))}
            />
          </Group>
        ))}
      </Stack>
    </Stack>
  );
}

/** Something to read for all rooms. */
function TellRooms() {
  const { t } = useTranslation();
  const meeting = useMeeting();
  return (
    <Announce
      label={t('breakouts.tell')}
      action={t('breakouts.tellDo')}
      most={TEXT_MAX}
      testid="tell-rooms"
      onSend={text => meeting.tellRooms(text)}
    />
  );
}

/** When the rooms close by themselves. */
function Timer() {
  const { t } = useTranslation();
  const meeting = useMeeting();
  const left = useBreakoutsLeft();
  const [minutes, setMinutes] = useState<number | null>(null);
  return (
    <Group align="flex-end" gap="sm">
      <div style={{ flex: 1 }}>
        <Minutes value={minutes} onChange={setMinutes} />
      </div>
      <Button
        variant="default"
        disabled={minutes === null && left === null}
        onClick={() => void attempt(() => meeting.timeBreakouts(minutes)).then(() => setMinutes(null))}
        data-testid="time-breakouts"
      >
        {minutes === null && left !== null ? t('breakouts.untime') : t('breakouts.time')}
      </Button>
      {left && (
        <Text fz="sm" c="dimmed" w="100%">
          {t('breakouts.closesIn', { left })}
        </Text>
      )}
    </Group>
  );
}

/** How long the rooms stay. */
export function BreakoutsLeft() {
  const { t } = useTranslation();
  const left = useBreakoutsLeft();
  if (!left) return null;
  return (
    <Text
      fz="sm"
      fw={600}
      c="var(--hand)"
      style={{ whiteSpace: 'nowrap', fontVariantNumeric: 'tabular-nums' }}
      title={t('breakouts.closesIn', { left })}
      data-testid="breakouts-left"
    >
      {left}
    </Text>
  );
}

/** The breakout room one is in, a way to ask for help, and the way back. */
export function BreakoutBadge({ className }: { className: string | undefined }) {
  const { t } = useTranslation();
  const meeting = useMeeting();
  const me = useMe();
  const manages = useManages();
  if (!me?.room) return null;
  return (
    <div className={className} data-testid="breakout">
      <Badge variant="light" style={{ flexShrink: 0 }}>
        {t('breakouts.room', { room: me.room })}
      </Badge>
      {!manages && (
        <Button
          size="compact-xs"
          variant={me.asks_help ? 'light' : 'subtle'}
          {...(me.asks_help && { color: 'yellow' })}
          leftSection={<LifeBuoy size={14} />}
          aria-pressed={me.asks_help ?? false}
          onClick={() => void attempt(() => meeting.askHelp(!me.asks_help))}
          data-testid="ask-help"
        >
          {t(me.asks_help ? 'breakouts.helpAsked' : 'breakouts.askHelp')}
        </Button>
      )}
      <Button
        size="compact-xs"
        variant="subtle"
        onClick={() => void attempt(() => meeting.moveTo(me.id, null))}
        data-testid="leave-breakout"
      >
        {t('breakouts.back')}
      </Button>
    </div>
  );
}
