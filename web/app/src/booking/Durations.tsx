import { NativeSelect } from '@mantine/core';
import { useTranslation } from 'react-i18next';

/** Minutes that are offered; others come from elsewhere and are kept. */
const USUAL = [15, 30, 45, 60, 90, 120, 150, 180, 240, 300, 360, 480, 720, 1440];

interface DurationsProps {
  value: number;
  onChange: (minutes: number) => void;
  disabled?: boolean;
}

/** 会议时长. */
export function Durations({ value, onChange, disabled = false }: DurationsProps) {
  const { t, i18n } = useTranslation();
  const offered = [...new Set([...USUAL, value])].sort((a, b) => a - b);
  const label = (minutes: number) =>
    minutes < 60
      ? t('book.minutes', { count: minutes })
      : t('scale.hours', { hours: (minutes / 60).toLocaleString(i18n.language) });
  return (
    <NativeSelect
      label={t('book.duration')}
      disabled={disabled}
      value={value}
      onChange={event => onChange(Number(event.currentTarget.value))}
      data={offered.map(minutes => ({ value: `${minutes}`, label: label(minutes) }))}
      data-testid="book-duration"
    />
  );
}
