import { Chip, Group, NativeSelect, NumberInput, Stack } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { DayField } from './DayField';
import { type Recurrence, WEEKDAYS, endAfter, unitOf, weekdayOf } from './recurrence';
import { useFinger } from './useFinger';
import { dateOf } from './when';
import { useWeekdayName } from './words';

interface RepeatProps {
  value: Recurrence | null;
  /** Of the first time, as 2026-01-31. */
  day: string;
  onChange: (recurrence: Recurrence | null) => void;
}

const FREQUENCIES = ['DAILY', 'WEEKLY', 'MONTHLY'] as const;

/** More is another series. */
const INTERVAL_MAX = 99;

/** 周期会议 (S5). */
export function Repeat({ value, day, onChange }: RepeatProps) {
  const { t, i18n } = useTranslation();
  const weekday = useWeekdayName();
  const isFinger = useFinger();
  const begin = (frequency: string) => {
    const chosen = FREQUENCIES.find(one => one === frequency);
    const { interval, end } = value ?? { interval: 1, end: { count: 10 } };
    if (!chosen) onChange(null);
    else onChange({ frequency: chosen, interval, days: [weekdayOf(dateOf(day))], end });
  };
  const end = value?.end;
  return (
    <Stack gap="xs">
      <NativeSelect
        label={t('book.repeat')}
        value={value?.frequency ?? ''}
        onChange={event => begin(event.currentTarget.value)}
        data={[
          { value: '', label: t('book.never') },
          ...FREQUENCIES.map(one => ({ value: one, label: t(`book.${one}`) })),
        ]}
        data-testid="book-repeat"
      />
      {value && (
        <NumberInput
          label={t('book.every')}
          min={1}
          max={INTERVAL_MAX}
          allowDecimal={false}
          suffix={unitOf(i18n.language, value)}
          value={value.interval}
          onChange={every =>
            onChange({ ...value, interval: Math.min(INTERVAL_MAX, Math.max(1, Number(every) || 1)) })
          }
          data-testid="book-interval"
        />
      )}
      {value?.frequency === 'WEEKLY' && (
        <Chip.Group multiple value={value.days} onChange={days => onChange({ ...value, days: days })}>
          <Group gap={6}>
            {WEEKDAYS.map(one => (
              <Chip
                key={one}
                value={one}
                size={isFinger ? 'md' : 'xs'}
                styles={{ root: { display: 'flex' }, ...(isFinger && { label: { paddingInline: 10 } }) }}
              >
                {weekday(one, 'short')}
              </Chip>
            ))}
          </Group>
        </Chip.Group>
      )}
      {value && end && (
        <Group grow align="flex-end">
          <NativeSelect
            label={t('book.ends')}
            value={'count' in end ? 'count' : 'until'}
            onChange={event =>
              onChange({
                ...value,
                end: event.currentTarget.value === 'count' ? { count: 10 } : { until: endAfter(day) },
              })
            }
            data-testid="book-ends"
            data={[
              { value: 'count', label: t('book.endsAfter') },
              { value: 'until', label: t('book.endsOn') },
            ]}
          />
          {'count' in end ? (
            <NumberInput
              aria-label={t('book.times')}
              min={1}
              max={200}
              suffix={t('book.timesSuffix')}
              value={end.count}
              onChange={count => onChange({ ...value, end: { count: Math.max(1, Number(count) || 1) } })}
            />
          ) : (
            <DayField
              name={t('book.endsOn')}
              min={day}
              value={end.until}
              onChange={until => onChange({ ...value, end: { until } })}
              testid="book-until"
            />
          )}
        </Group>
      )}
    </Stack>
  );
}
