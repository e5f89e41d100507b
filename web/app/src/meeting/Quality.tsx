import { ActionIcon, Button, Popover, Table } from '@mantine/core';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Bars } from './Bars';
import { type Sample, gradeOf, isCut } from './quality';
import { useSamples, useSampling } from './samples';
import { useIsPoor, useMeeting, useMeetingState } from './useMeeting';

/** Before anything is measured. */
const NOTHING: Sample = { roundTripMs: 0, lost: 0, sentKbit: 0, receivedKbit: 0, jitterMs: 0, picture: '' };

/** How the network does, and by a click why one thinks so. */
export function Quality({ onMore }: { onMore: () => void }) {
  const { t, i18n } = useTranslation();
  useSampling(useMeeting());
  const newest = useSamples(({ history }) => history.at(-1));
  const sample = newest ?? NOTHING;
  const isOut = useMeetingState(state => isCut(state, newest !== undefined));
  const isPoor = useIsPoor();
  const grade = gradeOf(sample, isPoor || isOut);
  const [isOpen, setOpen] = useState(false);
  const figure = (value: number, unit: string, digits = 0) =>
    `${value.toLocaleString(i18n.language, { maximumFractionDigits: digits })} ${unit}`;
  return (
    <Popover
      opened={isOpen}
      onChange={setOpen}
      position="bottom-end"
      shadow="md"
      withArrow
      trapFocus
      returnFocus
    >
      <Popover.Target>
        <ActionIcon
          variant="subtle"
          color={grade === 'good' ? 'gray' : grade === 'fair' ? 'yellow' : 'red'}
          size="lg"
          onClick={() => setOpen(!isOpen)}
          aria-label={t(`quality.${grade}`)}
          data-testid="quality"
          data-grade={grade}
        >
          <Bars grade={grade} size={19} />
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
        <Button
          variant="subtle"
          size="compact-sm"
          fullWidth
          mt={6}
          onClick={() => {
            // It would lie over the other.
            setOpen(false);
            onMore();
          }}
          data-testid="more-statistics"
        >
          {t('quality.more')}
        </Button>
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
