import type { Source, TrackKind } from '@huitong/sdk';
import { Badge, Group, Stack, Table, Text, Title } from '@mantine/core';
import type { TFunction } from 'i18next';
import { useTranslation } from 'react-i18next';
import styles from './Statistics.module.css';
import type { Sample } from './quality';
import { useSamples } from './samples';
import { useMeeting, useMeetingState } from './useMeeting';

type Measure = 'roundTripMs' | 'lost' | 'sentKbit' | 'receivedKbit' | 'jitterMs';

/** What is drawn; `least`: a graph's top is no lower, so that nothing looks like a mountain. */
const GRAPHS: {
  of: Measure;
  word: 'roundTrip' | 'lost' | 'sent' | 'received' | 'jitter';
  unit: string;
  least: number;
}[] = [
  { of: 'roundTripMs', word: 'roundTrip', unit: 'ms', least: 100 },
  { of: 'jitterMs', word: 'jitter', unit: 'ms', least: 50 },
  { of: 'lost', word: 'lost', unit: '%', least: 5 },
  { of: 'sentKbit', word: 'sent', unit: 'kbit/s', least: 200 },
  { of: 'receivedKbit', word: 'received', unit: 'kbit/s', least: 200 },
];

/** 统计信息: what the browser measures of the meeting's media, over the last five minutes and track by track. */
export function Statistics() {
  const { t, i18n } = useTranslation();
  const meeting = useMeeting();
  const { history, stats } = useSamples();
  const participants = useMeetingState(state => state.participants);
  const nameOf = (id: string | null) => participants.find(participant => participant.id === id)?.name ?? '–';
  const figure = (value: number, unit: string, digits = 0) =>
    `${value.toLocaleString(i18n.language, { maximumFractionDigits: digits })} ${unit}`;
  const size = (width: number, height: number) => (width > 0 ? `${width} × ${height}` : '–');
  const kindOf = (kind: Source | TrackKind) =>
    kind === 'screen' ? t('share.screen') : t(kind === 'camera' ? 'devices.camera' : 'devices.microphone');
  return (
    <Stack gap="lg" data-testid="statistics-page">
      <div className={styles.graphs}>
        {GRAPHS.map(({ of, word, unit, least }) => (
          <Graph
            key={of}
            name={t(`quality.${word}`)}
            values={history.map(sample => valueOf(sample, of))}
            least={least}
            say={value => figure(value, unit, of === 'lost' ? 1 : 0)}
          />
        ))}
      </div>
      {stats && (
        <>
          <section>
            <Group gap="xs" mb={6}>
              <Title order={3} fz="sm">
                {t('quality.sentTracks')}
              </Title>
              <Badge variant="light" color={stats.publish.state === 'connected' ? 'teal' : 'yellow'}>
                {t(stats.publish.state === 'connected' ? 'quality.connected' : 'quality.connecting')}
              </Badge>
            </Group>
            <div className={styles.scroll} tabIndex={0} role="group" aria-label={t('quality.sentTracks')}>
              <Table fz="xs" verticalSpacing={4}>
                <Table.Thead>
                  <Table.Tr>
                    <Table.Th>{t('quality.track')}</Table.Th>
                    <Table.Th>{t('quality.size')}</Table.Th>
                    <Table.Th>{t('quality.packets')}</Table.Th>
                    <Table.Th>{t('quality.again')}</Table.Th>
                    <Table.Th>{t('quality.limit')}</Table.Th>
                  </Table.Tr>
                </Table.Thead>
                <Table.Tbody>
                  {stats.publish.tracks
                    // What is no longer sent has its counters still.
                    .filter(({ source }) => meeting.track(source) !== null)
                    .map((track, at) => (
                      <Table.Tr key={at}>
                        <Table.Td>{kindOf(track.source)}</Table.Td>
                        <Table.Td>{size(track.width, track.height)}</Table.Td>
                        <Table.Td>{track.packets.toLocaleString(i18n.language)}</Table.Td>
                        <Table.Td>{track.retransmitted.toLocaleString(i18n.language)}</Table.Td>
                        <Table.Td>{limitOf(t, track.limitedBy)}</Table.Td>
                      </Table.Tr>
                    ))}
                </Table.Tbody>
              </Table>
            </div>
          </section>
          <section>
            <Group gap="xs" mb={6}>
              <Title order={3} fz="sm">
                {t('quality.receivedTracks')}
              </Title>
              <Badge variant="light" color={stats.subscribe.state === 'connected' ? 'teal' : 'yellow'}>
                {t(stats.subscribe.state === 'connected' ? 'quality.connected' : 'quality.connecting')}
              </Badge>
            </Group>
            <div className={styles.scroll} tabIndex={0} role="group" aria-label={t('quality.receivedTracks')}>
              <Table fz="xs" verticalSpacing={4}>
                <Table.Thead>
                  <Table.Tr>
                    <Table.Th>{t('quality.track')}</Table.Th>
                    <Table.Th className={styles.name}>{t('quality.from')}</Table.Th>
                    <Table.Th>{t('quality.size')}</Table.Th>
                    <Table.Th>{t('quality.packets')}</Table.Th>
                    <Table.Th>{t('quality.lostPackets')}</Table.Th>
                    <Table.Th>{t('quality.jitter')}</Table.Th>
                  </Table.Tr>
                </Table.Thead>
                <Table.Tbody>
                  {stats.subscribe.slots
                    .filter(({ participant }) => participant !== null)
                    .map(slot => (
                      <Table.Tr key={slot.mid}>
                        <Table.Td>
                          {kindOf(slot.kind)}
                          <bdi className={styles.below}>{nameOf(slot.participant)}</bdi>
                        </Table.Td>
                        <Table.Td className={styles.name}>
                          <bdi>{nameOf(slot.participant)}</bdi>
                        </Table.Td>
                        <Table.Td>{size(slot.width, slot.height)}</Table.Td>
                        <Table.Td>{slot.packets.toLocaleString(i18n.language)}</Table.Td>
                        <Table.Td>{slot.lost.toLocaleString(i18n.language)}</Table.Td>
                        <Table.Td>{figure(slot.jitter * 1_000, 'ms')}</Table.Td>
                      </Table.Tr>
                    ))}
                </Table.Tbody>
              </Table>
            </div>
          </section>
        </>
      )}
    </Stack>
  );
}

const valueOf = (sample: Sample, measure: Measure): number =>
  sample[measure] * (measure === 'lost' ? 100 : 1);

function limitOf(t: TFunction, limit: string): string {
  if (limit === 'cpu') return t('quality.cpu');
  return limit === 'bandwidth' ? t('quality.bandwidth') : t('quality.unlimited');
}

interface GraphProps {
  name: string;
  values: number[];
  least: number;
  say: (value: number) => string;
}

/** In the drawing's own measure. */
const [WIDTH, HEIGHT] = [240, 56];

function Graph({ name, values, least, say }: GraphProps) {
  const { t } = useTranslation();
  const top = Math.max(least, ...values) * 1.05;
  const step = WIDTH / 99;
  const from = WIDTH - (values.length - 1) * step;
  const points = values.map((value, at) => `${from + at * step},${HEIGHT - (value / top) * HEIGHT}`);
  const now = values.at(-1) ?? 0;
  return (
    <figure className={styles.graph} data-testid="graph" data-values={values.length}>
      <figcaption>
        <Text span fz="xs" c="dimmed">
          {name}
        </Text>
        <Text span fz="sm" fw={600} style={{ fontVariantNumeric: 'tabular-nums' }}>
          {say(now)}
        </Text>
      </figcaption>
      <svg
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={t('quality.most', { name, value: say(Math.max(0, ...values)) })}
      >
        <line x1="0" y1={HEIGHT} x2={WIDTH} y2={HEIGHT} />
        {points.length > 1 && <polyline points={points.join(' ')} />}
      </svg>
    </figure>
  );
}
