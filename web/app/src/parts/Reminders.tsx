import type { Reminder } from '@huitong/sdk';
import { Button, CloseButton, Group, Paper, Text } from '@mantine/core';
import { AlarmClock } from 'lucide-react';
import { useCallback, useEffect, useRef } from 'react';
import { useTranslation } from 'react-i18next';
import { Link, useLocation } from 'react-router';
import { inThrees, joinPath } from '../numbers';
import { useSettings } from '../settings';
import styles from './Reminders.module.css';
import { keyOf, minutesLeft, useReminders } from './useReminders';

/** What begins soon (S9), on every page of who is logged in, in a meeting too. */
export function Reminders() {
  const { t } = useTranslation();
  const { pathname } = useLocation();
  const { reminders, dismiss } = useReminders();
  const when = useWhen();
  // Who is there needs no reminder.
  const shown = reminders.filter(({ number }) => pathname !== `/j/${number}`);
  useDesktopNotices(shown);
  // Nobody is taken out of the meeting he is in.
  const isAtMeeting = pathname.startsWith('/j/');
  const target = isAtMeeting ? '_blank' : undefined;
  return (
    <div
      className={styles.reminders}
      data-at-meeting={isAtMeeting || undefined}
      role="status"
      aria-live="polite"
    >
      {shown.map(reminder => (
        <Paper
          key={keyOf(reminder)}
          withBorder
          shadow="lg"
          p="sm"
          data-testid="reminder"
          data-number={reminder.number}
        >
          <Group gap="sm" wrap="nowrap" align="flex-start">
            <AlarmClock className={styles.clock} size={18} aria-hidden />
            <div className={styles.words}>
              <Text fz="sm" fw={600} lineClamp={2}>
                <bdi>{reminder.title}</bdi>
              </Text>
              <Text fz="xs" c="dimmed">
                {reminder.own
                  ? when(reminder)
                  : `${when(reminder)} · ${t('reminder.host', { name: reminder.host })}`}
              </Text>
              <Text fz="xs" c="dimmed">
                {t('home.numberIs', { number: inThrees(reminder.number) })}
              </Text>
            </div>
            <CloseButton
              aria-label={t('reminder.dismiss')}
              onClick={() => dismiss(reminder)}
              data-testid="reminder-dismiss"
            />
          </Group>
          <Group justify="flex-end" mt={4}>
            <Button
              component={Link}
              to={joinPath(reminder.number, reminder.password)}
              target={target}
              size="compact-sm"
              data-testid="reminder-enter"
            >
              {reminder.own ? t('home.start') : t('home.enter')}
            </Button>
          </Group>
        </Paper>
      ))}
    </div>
  );
}

/** How long until it begins, in words. */
function useWhen(): (reminder: Reminder & { heardAt: number }) => string {
  const { t } = useTranslation();
  return useCallback(
    reminder => {
      const minutes = minutesLeft(reminder);
      if (minutes <= 0) return t('reminder.begun');
      return t('reminder.soon', { minutes });
    },
    [t],
  );
}

/** Where somebody wished for it, his system tells him too while he looks elsewhere; once for each. */
function useDesktopNotices(shown: (Reminder & { heardAt: number })[]): void {
  const { t } = useTranslation();
  const when = useWhen();
  const isWished = useSettings(state => state.desktopReminders);
  const told = useRef(new Set<string>());
  useEffect(() => {
    for (const reminder of shown) {
      const key = keyOf(reminder);
      if (told.current.has(key)) continue;
      told.current.add(key);
      if (!isWished || !document.hidden || !('Notification' in window)) continue;
      if (Notification.permission !== 'granted') continue;
      const notice = new Notification(t('reminder.title', { title: reminder.title }), {
        body: when(reminder),
        tag: key,
      });
      notice.onclick = () => window.focus();
    }
  }, [shown, isWished, t, when]);
}
