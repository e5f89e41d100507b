import { ActionIcon, Popover, TextInput } from '@mantine/core';
import { CalendarDays } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Calendar } from './Calendar';
import { useFinger } from './useFinger';
import { dayText, dayTyped } from './when';

interface DayFieldProps {
  /** Shown above the field; else `name` is only read out. */
  label?: string;
  name?: string;
  /** As 2026-01-31. */
  value: string;
  onChange: (day: string) => void;
  /** The first that can be chosen. */
  min?: string | undefined;
  disabled?: boolean;
  testid?: string;
}

/** A day, typed or chosen from a calendar, as the page's language writes it; the browser's own field writes it in its own. */
export function DayField({ label, name, value, onChange, min, disabled = false, testid }: DayFieldProps) {
  const { t, i18n } = useTranslation();
  const isFinger = useFinger();
  const [typed, setTyped] = useState<string | null>(null);
  const [isOpen, setOpen] = useState(false);
  const common = { label, 'aria-label': label ? undefined : name, disabled, 'data-testid': testid };
  if (isFinger) {
    return (
      <TextInput
        {...common}
        type="date"
        min={min}
        value={value}
        onChange={event => onChange(event.currentTarget.value)}
      />
    );
  }
  const type = (text: string) => {
    setTyped(text);
    const day = dayTyped(i18n.language, text, new Date());
    if (day && (!min || day >= min)) onChange(day);
  };
  return (
    <Popover
      opened={isOpen}
      onChange={setOpen}
      trapFocus
      returnFocus
      // The button opens it, not the field.
      withRoles={false}
      shadow="md"
      radius="md"
      position="bottom-start"
    >
      <Popover.Target>
        <TextInput
          {...common}
          value={typed ?? dayText(i18n.language, value)}
          autoComplete="off"
          onChange={event => type(event.currentTarget.value)}
          onBlur={() => setTyped(null)}
          onKeyDown={event => {
            if (event.key !== 'ArrowDown' || !event.altKey) return;
            event.preventDefault();
            setOpen(true);
          }}
          rightSection={
            <ActionIcon
              variant="subtle"
              color="gray"
              disabled={disabled}
              aria-label={t('book.calendar')}
              aria-haspopup="dialog"
              aria-expanded={isOpen}
              onClick={() => setOpen(!isOpen)}
              data-testid={testid && `${testid}-calendar`}
            >
              <CalendarDays size={17} />
            </ActionIcon>
          }
        />
      </Popover.Target>
      <Popover.Dropdown p="sm" role="dialog" aria-label={t('book.calendar')}>
        <Calendar
          value={value}
          min={min}
          onChosen={day => {
            setOpen(false);
            setTyped(null);
            onChange(day);
          }}
        />
      </Popover.Dropdown>
    </Popover>
  );
}
