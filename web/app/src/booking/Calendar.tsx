import { ActionIcon, Group, Text } from '@mantine/core';
import { ChevronLeft, ChevronRight } from 'lucide-react';
import { type KeyboardEvent, useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import styles from './Calendar.module.css';
import { dayOf } from './recurrence';
import { dateOf, sheetOf } from './when';

interface CalendarProps {
  /** As 2026-01-31. */
  value: string;
  min?: string | undefined;
  onChosen: (day: string) => void;
}

/** Months away, on the same day or the month's last. */
function monthsOn(date: Date, months: number): Date {
  const last = new Date(date.getFullYear(), date.getMonth() + months + 1, 0).getDate();
  return new Date(date.getFullYear(), date.getMonth() + months, Math.min(date.getDate(), last));
}

const daysOn = (date: Date, days: number): Date =>
  new Date(date.getFullYear(), date.getMonth(), date.getDate() + days);

/** A month's days, walked through with the keys of the ARIA Authoring Practices' date picker. */
export function Calendar({ value, min, onChosen }: CalendarProps) {
  const { t, i18n } = useTranslation();
  const language = i18n.language;
  const chosen = dateOf(value);
  const [today] = useState(() => dayOf(new Date()));
  // What can't be chosen has no focus.
  const within = (date: Date) => (min && dayOf(date) < min ? dateOf(min) : date);
  const [focused, setFocused] = useState(() => within(Number.isNaN(chosen.getTime()) ? new Date() : chosen));
  const grid = useRef<HTMLTableElement>(null);
  const follows = useRef(true);
  const at = dayOf(focused);
  useEffect(() => {
    // Who turns the pages stays at their buttons.
    if (follows.current) grid.current?.querySelector<HTMLElement>('[tabindex="0"]')?.focus();
    follows.current = false;
  }, [at]);

  const sheet = sheetOf(language, focused.getFullYear(), focused.getMonth());
  const inWords = (options: Intl.DateTimeFormatOptions) => new Intl.DateTimeFormat(language, options);
  const [short, long, full] = [
    inWords({ weekday: 'narrow' }),
    inWords({ weekday: 'long' }),
    inWords({ dateStyle: 'full' }),
  ];
  const turn = (months: number) => setFocused(within(monthsOn(focused, months)));
  const go = (to: Date, event: KeyboardEvent) => {
    event.preventDefault();
    follows.current = true;
    setFocused(within(to));
  };
  const walk = (event: KeyboardEvent) => {
    const inWeek = sheet.find(week => week.some(day => dayOf(day) === at))?.map(day => day) ?? [];
    const months = event.shiftKey ? 12 : 1;
    const ways: Record<string, () => Date | undefined> = {
      ArrowLeft: () => daysOn(focused, -1),
      ArrowRight: () => daysOn(focused, 1),
      ArrowUp: () => daysOn(focused, -7),
      ArrowDown: () => daysOn(focused, 7),
      Home: () => inWeek[0],
      End: () => inWeek[6],
      PageUp: () => monthsOn(focused, -months),
      PageDown: () => monthsOn(focused, months),
    };
    const to = ways[event.key]?.();
    if (to) go(to, event);
  };
  return (
    <>
      <Group justify="space-between" mb={6}>
        <ActionIcon variant="subtle" color="gray" aria-label={t('book.monthBefore')} onClick={() => turn(-1)}>
          <ChevronLeft size={17} />
        </ActionIcon>
        <Text fz="sm" fw={600} aria-live="polite" data-testid="calendar-month">
          {inWords({ year: 'numeric', month: 'long' }).format(focused)}
        </Text>
        <ActionIcon variant="subtle" color="gray" aria-label={t('book.monthAfter')} onClick={() => turn(1)}>
          <ChevronRight size={17} />
        </ActionIcon>
      </Group>
      <table role="grid" ref={grid} className={styles.sheet} onKeyDown={walk}>
        <thead>
          <tr>
            {sheet[0]?.map(day => (
              <th key={day.getDay()} scope="col" abbr={long.format(day)}>
                {short.format(day)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {sheet.map(week => (
            <tr key={dayOf(week[0] ?? focused)}>
              {week.map(date => {
                const day = dayOf(date);
                return (
                  <td key={day} role="gridcell" aria-selected={day === value}>
                    <button
                      type="button"
                      className={styles.day}
                      tabIndex={day === at ? 0 : -1}
                      // Else whatever holds the focus in the dialog begins with the first button.
                      data-autofocus={day === at || undefined}
                      disabled={min !== undefined && day < min}
                      aria-label={full.format(date)}
                      aria-current={day === today ? 'date' : undefined}
                      data-outside={date.getMonth() !== focused.getMonth() || undefined}
                      data-selected={day === value || undefined}
                      data-day={day}
                      onClick={() => onChosen(day)}
                    >
                      {date.getDate()}
                    </button>
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}
