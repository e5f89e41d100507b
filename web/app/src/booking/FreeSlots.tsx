import { Button, Loader, NumberInput, SimpleGrid, Text } from '@mantine/core';
import { useCallback, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { rest } from '../rest';
import { DayField } from './DayField';
import { Durations } from './Durations';
import type { Draft } from './draft';
import { timeText } from './when';
import { dayIn, timeIn } from './zone';
import { Retry } from '../parts/Retry';
import { Sheet } from '../parts/Sheet';
import { useAsked } from '../parts/useAsked';

interface FreeSlotsProps {
  draft: Draft;
  opened: boolean;
  onClose: () => void;
  onChosen: (changes: Partial<Draft>) => void;
}

/** 查看可用时间段 (S3): the starts of a day; taken ones greyed. */
export function FreeSlots({ draft, opened, onClose, onChosen }: FreeSlotsProps) {
  const { t } = useTranslation();
  return (
    <Sheet opened={opened} onClose={onClose} title={t('book.slots')} size="lg">
      {opened && <Grid draft={draft} onChosen={onChosen} />}
    </Sheet>
  );
}

function Grid({ draft, onChosen }: Pick<FreeSlotsProps, 'draft' | 'onChosen'>) {
  const { t, i18n } = useTranslation();
  const [day, setDay] = useState(draft.day);
  const [duration, setDuration] = useState(draft.duration);
  const [capacity, setCapacity] = useState(draft.capacity);
  const [now] = useState(() => Date.now());
  const slotsOf = useCallback(
    (day: string) =>
      rest.freeSlots({ day, duration, capacity, zone: draft.zone, early_start: draft.earlyStart }),
    [duration, capacity, draft.zone, draft.earlyStart],
  );
  const { found: slots, problem, again } = useAsked(day, slotsOf);

  // What has passed is nobody's choice.
  const coming = slots?.filter(({ start }) => Date.parse(start) > now);
  return (
    <>
      <SimpleGrid cols={{ base: 2, xs: 3 }} spacing="sm">
        <DayField label={t('book.day')} min={dayIn(draft.zone, new Date())} value={day} onChange={setDay} />
        <Durations value={duration} onChange={setDuration} />
        <NumberInput
          label={t('book.capacity')}
          min={2}
          max={500}
          value={capacity}
          onChange={value => setCapacity(Math.max(2, Number(value) || 2))}
        />
      </SimpleGrid>
      {problem !== null && <Retry problem={problem} onRetry={again} />}
      {!coming && problem === null && <Loader size="sm" mt="md" />}
      {coming?.length === 0 && problem === null && (
        <Text c="dimmed" fz="sm" mt="md">
          {t('book.noSlots')}
        </Text>
      )}
      <SimpleGrid cols={{ base: 4, xs: 6 }} spacing={6} mt="md">
        {(problem === null ? coming : null)?.map(({ start, free }) => {
          const at = new Date(start);
          const time = timeIn(draft.zone, at);
          return (
            <Button
              key={start}
              size="xs"
              px={0}
              variant="default"
              disabled={!free}
              onClick={() => onChosen({ day: dayIn(draft.zone, at), time, duration, capacity })}
              data-testid="free-slot"
              data-time={time}
            >
              {timeText(i18n.language, time)}
            </Button>
          );
        })}
      </SimpleGrid>
    </>
  );
}
