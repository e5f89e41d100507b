import { Text } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { dayIn, timeIn, zone as ownZone, zoneName } from './zone';

interface ZoneLineProps {
  zone: string;
  start: Date | null;
}

/** By whose clocks a booking goes; and what those of its reader show then, where they show something else. */
export function ZoneLine({ zone, start }: ZoneLineProps) {
  const { t, i18n } = useTranslation();
  const at = start ?? new Date();
  const clock = (zone: string) => `${dayIn(zone, at)} ${timeIn(zone, at)}`;
  const isElsewhere = start !== null && clock(zone) !== clock(ownZone());
  const here = new Intl.DateTimeFormat(i18n.language, { dateStyle: 'medium', timeStyle: 'short' });
  return (
    <div>
      <Text fz="xs" c="dimmed" data-testid="book-zone" data-zone={zone}>
        {t('book.zone', { zone: zoneName(i18n.language, zone, at) })}
      </Text>
      {isElsewhere && (
        <Text fz="xs" data-testid="book-here">
          {t('book.here', { time: here.format(at) })}
        </Text>
      )}
    </div>
  );
}
