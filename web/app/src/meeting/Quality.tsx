import type { Meeting, MeetingStats } from '@huitong/sdk';
import { ActionIcon, Popover, Table } from '@mantine/core';
import { Signal, SignalLow, SignalMedium } from 'lucide-react';
import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { type Grade, type Sample, gradeOf, sampleOf } from './quality';
import { useMeeting } from './useMeeting';

const INTERVAL_MS = 3_000;

const ICONS: Record<Grade, typeof Signal> = { good: Signal, fair: SignalMedium, poor: SignalLow };

/** How the network does, and by a click why one thinks so. */
export function Quality() {
  const { t, i18n } = useTranslation();
  const sample = useSample(useMeeting());
  const grade = gradeOf(sample);
  const Icon = ICONS[grade];
  const figure = (value: number, unit: string, digits = 0) =>
    `${value.toLocaleString(i18n.language, { maximumFractionDigits: digits })} ${unit}`;
  return (
    <Popover position="bottom-end" shadow="md" withArrow trapFocus returnFocus>
      <Popover.Target>
        <ActionIcon
          variant="subtle"
          color={grade === 'good' ? 'gray' : grade === 'fair' ? 'yellow' : 'red'}
          size="lg"
          aria-label={t(`quality.${grade}`)}
          data-testid="quality"
          data-grade={grade}
        >
          <Icon size={19} />
        </ActionIcon>
      </Popover.Target>
      <Popover.Dropdown>
        <Table withRowBorders={false} verticalSpacing={3} fz="sm" data-testid="statistics">
          <Table.Tbody>
            <Row name={t('quality.roundTrip')} value={figure(sample.roundTripMs, 'ms')} />
            <Row name={t('quality.lost')} value={figure(sample.lost * 100, '%', 1)} />
            <Row name={t('quality.sent')} value={figure(sample.sentKbit, 'kbit/s')} />
            <Row name={t('quality.received')} value={figure(sample.receivedKbit, 'kbit/s')} />
            <Row name={t('quality.picture')} value={sample.picture || '–'} />
          </Table.Tbody>
        </Table>
      </Popover.Dropdown>
    </Popover>
  );
}

function Row({ name, value }: { name: string; value: string }) {
  return (
    <Table.Tr>
      <Table.Td c="dimmed">{name}</Table.Td>
      <Table.Td ta="right" style={{ whiteSpace: 'nowrap', fontVariantNumeric: 'tabular-nums' }}>
        {value}
      </Table.Td>
    </Table.Tr>
  );
}

function useSample(meeting: Meeting): Sample {
  const [sample, setSample] = useState<Sample>({
    roundTripMs: 0,
    lost: 0,
    sentKbit: 0,
    receivedKbit: 0,
    picture: '',
  });
  useEffect(() => {
    let before: { stats: MeetingStats; at: number } | null = null;
    const timer = setInterval(() => {
      void meeting.getStats().then(stats => {
        const at = performance.now();
        if (before) setSample(sampleOf(before.stats, stats, at - before.at));
        before = { stats, at };
      });
    }, INTERVAL_MS);
    return () => clearInterval(timer);
  }, [meeting]);
  return sample;
}
