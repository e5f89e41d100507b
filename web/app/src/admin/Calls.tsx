import type { Account, CallInfo, Piece, Site } from '@huitong/sdk';
import { Alert, Badge, Button, Group, Loader, SegmentedControl, Stack, Text } from '@mantine/core';
import { FileSpreadsheet, ListTree, PhoneIncoming, PhoneOutgoing } from 'lucide-react';
import { Suspense, lazy, useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Sheet } from '../parts/Sheet';
import { problemText } from '../problems';
import { rest } from '../rest';
import styles from './admin.module.css';

const Ladder = lazy(() => import('./Ladder').then(({ Ladder }) => ({ default: Ladder })));

type Which = 'site' | 'stray';

/** 话单 (P9): calls of a site's meetings, and for the operator those that reached none. */
export function Calls({ site, account }: { site: Site; account: Account }) {
  const { t } = useTranslation();
  const [which, setWhich] = useState<Which>('site');
  return (
    <Stack gap="md">
      <Group justify="space-between" gap="sm">
        {account.role === 'operator' ? (
          <SegmentedControl
            value={which}
            onChange={value => setWhich(value)}
            data={(['site', 'stray'] as const).map(value => ({ value, label: t(`calls.${value}`) }))}
            data-testid="calls-which"
          />
        ) : (
          <Text fz="sm" c="dimmed">
            {t('calls.hint')}
          </Text>
        )}
        {which === 'site' && (
          <Button
            component="a"
            href={rest.callsTable(site.id)}
            download
            variant="default"
            size="sm"
            leftSection={<FileSpreadsheet size={16} />}
            data-testid="calls-table"
          >
            {t('calls.table')}
          </Button>
        )}
      </Group>
      <List key={which} site={site} which={which} />
    </Stack>
  );
}

function List({ site, which }: { site: Site; which: Which }) {
  const { t } = useTranslation();
  const [calls, setCalls] = useState<readonly CallInfo[] | null>(null);
  const [next, setNext] = useState<string | undefined>();
  const [looked, setLooked] = useState<CallInfo | null>(null);
  const [problem, setProblem] = useState<unknown>(null);
  useEffect(() => {
    let isWanted = true;
    ask(site, which).then(
      ({ items, next }) => {
        if (!isWanted) return;
        setCalls(items);
        setNext(next ?? undefined);
      },
      (thrown: unknown) => isWanted && setProblem(thrown),
    );
    return () => {
      isWanted = false;
    };
  }, [site, which]);
  const more = async () => {
    try {
      const piece = await ask(site, which, next);
      setCalls([...(calls ?? []), ...piece.items]);
      setNext(piece.next ?? undefined);
    } catch (thrown) {
      setProblem(thrown);
    }
  };
  return (
    <>
      {problem !== null && (
        <Alert color="red" variant="light" data-testid="calls-problem">
          {problemText(t, problem)}
        </Alert>
      )}
      {!calls && problem === null && <Loader size="sm" mx="auto" display="block" my="xl" />}
      {calls?.length === 0 && (
        <Text c="dimmed" ta="center" py="xl">
          {t('calls.none')}
        </Text>
      )}
      <ul className={styles.list}>
        {calls?.map(call => (
          <Row key={call.id} call={call} onLook={() => setLooked(call)} />
        ))}
      </ul>
      {next && (
        <Group justify="center">
          <Button variant="default" onClick={() => void more()} data-testid="calls-more">
            {t('home.more')}
          </Button>
        </Group>
      )}
      <Sheet opened={looked !== null} onClose={() => setLooked(null)} title={t('calls.ladder')} size="xl">
        <Suspense fallback={<Loader size="sm" mx="auto" display="block" my="xl" />}>
          {looked && <Ladder call={looked} />}
        </Suspense>
      </Sheet>
    </>
  );
}

const ask = (site: Site, which: Which, cursor?: string): Promise<Piece<CallInfo>> =>
  which === 'site' ? rest.calls(site.id, cursor) : rest.strayCalls(cursor);

/** Ends that are how calls end. */
const USUAL: ReadonlySet<string> = new Set(['hung_up', 'meeting_ended', 'canceled', 'replaced']);

/** Below this people complain (ITU-T G.107: some users dissatisfied). */
const MOS_FAIR = 3.6;

function Row({ call, onLook }: { call: CallInfo; onLook: () => void }) {
  const { t, i18n } = useTranslation();
  const when = new Intl.DateTimeFormat(i18n.language, { dateStyle: 'medium', timeStyle: 'medium' });
  const say = new Intl.NumberFormat(i18n.language, { maximumFractionDigits: 1 });
  const { direction, number, start, seconds, codec, cause, mos, lost, received, jitter_ms: jitter } = call;
  const isOut = direction === 'out';
  const Way = isOut ? PhoneOutgoing : PhoneIncoming;
  const share = lost / Math.max(1, lost + received);
  const { sent, reported_lost: missed, reported_jitter_ms: late } = call;
  const facts = [
    when.format(new Date(start)),
    length(seconds),
    codec,
    received > 0 && t('calls.lost', { share: percent(share, i18n.language) }),
    received > 0 && t('calls.jitter', { ms: say.format(jitter) }),
    typeof missed === 'number' &&
      t('calls.reportedLost', { share: percent(missed / Math.max(1, sent), i18n.language) }),
    typeof late === 'number' && t('calls.reportedJitter', { ms: say.format(late) }),
  ].filter(fact => typeof fact === 'string' && fact !== '');
  return (
    <li
      className={styles.row}
      data-testid="call"
      data-call={call.id}
      data-direction={direction}
      data-cause={cause}
    >
      <Way size={18} className={styles.way} aria-label={t(isOut ? 'calls.out' : 'calls.in')} />
      <div className={styles.what} data-dated>
        <Group gap={8}>
          <Text fw={550} className={styles.number}>
            <bdi>{number || t('calls.unknown')}</bdi>
          </Text>
          <Badge size="sm" variant="light" color={USUAL.has(cause) ? 'gray' : 'red'} data-testid="call-cause">
            {t(`cause.${cause as 'failed'}`, { defaultValue: cause })}
          </Badge>
          {typeof mos === 'number' && (
            <Badge size="sm" variant="light" color={mos < MOS_FAIR ? 'yellow' : 'teal'}>
              {t('calls.mos', { mos: say.format(mos) })}
            </Badge>
          )}
        </Group>
        <Text component="div" fz="sm" c="dimmed" className={`${styles.number} ${styles.facts}`}>
          {/* They wrap between each other, never within. */}
          {facts.map((fact, at) => (
            <span key={at} className={styles.fact}>
              {fact}
              {at < facts.length - 1 && ' ·'}
            </span>
          ))}
        </Text>
      </div>
      <div className={styles.does}>
        <Button
          size="xs"
          variant="default"
          leftSection={<ListTree size={15} />}
          onClick={onLook}
          data-testid="call-ladder"
        >
          {t('calls.ladder')}
        </Button>
      </div>
    </li>
  );
}

/** As a clock has it: 1:02:03, 2:05. */
function length(seconds: number): string {
  const whole = Math.round(seconds);
  const [hours, minutes, rest] = [Math.floor(whole / 3_600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (value: number) => `${value}`.padStart(2, '0');
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

const percent = (share: number, language: string): string =>
  new Intl.NumberFormat(language, { style: 'percent', maximumFractionDigits: 1 }).format(share);
