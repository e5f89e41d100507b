import { Autocomplete, TextInput } from '@mantine/core';
import { Clock } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { two } from './recurrence';
import { useFinger } from './useFinger';
import { timeText, timeTyped } from './when';

const HALF_HOURS = [...Array(48).keys()].map(
  half => `${two(Math.floor(half / 2))}:${half % 2 ? '30' : '00'}`,
);

/** The next ones first: nobody wants to leaf through the night. */
function halfHoursFrom(time: string): string[] {
  const next = Math.max(
    0,
    HALF_HOURS.findIndex(one => one >= time),
  );
  return [...HALF_HOURS.slice(next), ...HALF_HOURS.slice(0, next)];
}

interface TimeFieldProps {
  label: string;
  /** As 09:30. */
  value: string;
  onChange: (time: string) => void;
  disabled?: boolean;
  testid?: string;
}

/** A time of day, typed or chosen from the half hours, as the page's language writes it. */
export function TimeField({ label, value, onChange, disabled = false, testid }: TimeFieldProps) {
  const { i18n } = useTranslation();
  const isFinger = useFinger();
  const [typed, setTyped] = useState<string | null>(null);
  if (isFinger) {
    return (
      <TextInput
        type="time"
        label={label}
        disabled={disabled}
        value={value}
        onChange={event => onChange(event.currentTarget.value)}
        data-testid={testid}
      />
    );
  }
  return (
    <Autocomplete
      label={label}
      disabled={disabled}
      value={typed ?? timeText(i18n.language, value)}
      data={halfHoursFrom(value).map(time => timeText(i18n.language, time))}
      // All are offered, whatever stands there: it is there to be changed.
      filter={({ options }) => options}
      maxDropdownHeight={230}
      selectFirstOptionOnChange={false}
      rightSection={<Clock size={17} aria-hidden />}
      rightSectionPointerEvents="none"
      onChange={text => {
        setTyped(text);
        const time = timeTyped(text);
        if (time) onChange(time);
      }}
      onOptionSubmit={() => setTyped(null)}
      onBlur={() => setTyped(null)}
      onFocus={event => event.currentTarget.select()}
      data-testid={testid}
    />
  );
}
