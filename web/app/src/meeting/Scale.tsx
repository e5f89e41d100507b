import { ActionIcon, Alert, Button, Divider, Group, NumberInput, Stack, Text } from '@mantine/core';
import { CalendarPlus, Minus, Plus, Users } from 'lucide-react';
import { useCallback, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { problemText } from '../problems';
import { rest } from '../rest';
import { useMeeting, useMeetingState } from './useMeeting';
import { Sheet } from '../parts/Sheet';
import { Retry } from '../parts/Retry';
import { useAsked } from '../parts/useAsked';

/** Half hours, and a day's worth of them at most (C14). */
const STEP_MIN = 30;
const EXTENSION_MIN_MAX = 23 * 60;

const GROWTH = 5;

/** 延时 and 扩容 of a meeting that runs. */
export function Scale({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  const { t } = useTranslation();
  return (
    <Sheet opened={opened} onClose={onClose} title={t('scale.title')}>
      {opened && <Form />}
    </Sheet>
  );
}

function Form() {
  const { t, i18n } = useTranslation();
  const meeting = useMeeting();
  const { id, ends_ms: ends, capacity } = useMeetingState(state => state.meeting);
  const [minutes, setMinutes] = useState(STEP_MIN);
  const [chosen, setBy] = useState<number | null>(null);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<unknown>(null);
  // Anew for each size and end: what is free depends on both.
  const growth = useAsked(
    `${id} ${capacity} ${ends}`,
    useCallback(() => rest.growth(id, meeting.resume ?? ''), [id, meeting]),
  );
  const room = growth.found ?? 0;
  const by = chosen ?? Math.min(GROWTH, room);
  const time = new Intl.DateTimeFormat(i18n.language, { timeStyle: 'short' });

  const ask = async (change: () => Promise<void>) => {
    setBusy(true);
    setProblem(null);
    await change().catch(setProblem);
    setBusy(false);
  };
  return (
    <Stack>
      {ends !== null && (
        <section>
          <Text fw={600} fz="sm">
            {t('scale.extend')}
          </Text>
          <Text fz="sm" c="dimmed" mb="xs" data-testid="ends-at">
            {t('scale.endsAt', { time: time.format(ends) })}
          </Text>
          <Group justify="space-between">
            <Group gap={6}>
              <ActionIcon
                variant="default"
                size={36}
                aria-label={t('scale.less')}
                disabled={minutes <= STEP_MIN}
                onClick={() => setMinutes(minutes - STEP_MIN)}
              >
                <Minus size={16} />
              </ActionIcon>
              <Text w={84} ta="center" fw={600} aria-live="polite">
                {t('scale.hours', { hours: (minutes / 60).toLocaleString(i18n.language) })}
              </Text>
              <ActionIcon
                variant="default"
                size={36}
                aria-label={t('scale.more')}
                disabled={minutes >= EXTENSION_MIN_MAX}
                onClick={() => setMinutes(minutes + STEP_MIN)}
                data-testid="extend-more"
              >
                <Plus size={16} />
              </ActionIcon>
            </Group>
            <Button
              leftSection={<CalendarPlus size={16} />}
              loading={busy}
              onClick={() => void ask(() => meeting.extend(minutes))}
              data-testid="extend"
            >
              {t('scale.extendDo')}
            </Button>
          </Group>
        </section>
      )}
      <Divider />
      <section>
        <Text fw={600} fz="sm">
          {t('scale.enlarge')}
        </Text>
        <Text fz="sm" c="dimmed" mb="xs" data-testid="capacity">
          {growth.found === null
            ? t('scale.capacity', { count: capacity })
            : t(room > 0 ? 'scale.growth' : 'scale.noGrowth', { count: capacity, room })}
        </Text>
        {growth.problem !== null && <Retry problem={growth.problem} onRetry={growth.again} />}
        <Group justify="space-between">
          <Group gap={6}>
            <ActionIcon
              variant="default"
              size={36}
              aria-label={t('scale.fewer')}
              disabled={by <= GROWTH}
              onClick={() => setBy(by - GROWTH)}
            >
              <Minus size={16} />
            </ActionIcon>
            <NumberInput
              w={84}
              hideControls
              min={1}
              max={Math.max(1, room)}
              disabled={room === 0}
              allowDecimal={false}
              allowNegative={false}
              aria-label={t('scale.enlarge')}
              value={by}
              onChange={value => setBy(Number(value) || 0)}
              styles={{ input: { textAlign: 'center' } }}
              data-testid="enlarge-by"
            />
            <ActionIcon
              variant="default"
              size={36}
              aria-label={t('scale.greater')}
              disabled={by >= room}
              onClick={() => setBy(Math.min(by + GROWTH, room))}
              data-testid="enlarge-more"
            >
              <Plus size={16} />
            </ActionIcon>
          </Group>
          <Button
            leftSection={<Users size={16} />}
            loading={busy}
            disabled={by < 1 || by > room}
            onClick={() => void ask(() => meeting.enlarge(by)).then(() => setBy(null))}
            data-testid="enlarge"
          >
            {t('scale.enlargeDo')}
          </Button>
        </Group>
      </section>
      {problem !== null && (
        <Alert color="red" variant="light" data-testid="scale-problem">
          {problemText(t, problem)}
        </Alert>
      )}
    </Stack>
  );
}
