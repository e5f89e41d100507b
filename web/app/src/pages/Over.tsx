import type { Ended } from '@huitong/sdk';
import { Button, Group, Stack, Text, Title } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';
import { isEmbedded } from '../embed/mode';
import { ByPhone } from '../parts/ByPhone';
import type { Entry } from '../parts/JoinForm';
import { Page } from '../parts/Page';
import { inUnits } from '../numbers';
import { problemText } from '../problems';

/** Ends after which another try makes sense. */
const AGAIN: ReadonlySet<string> = new Set([
  'left',
  'replaced',
  'unreachable',
  'server_stopping',
  'too_slow',
]);

/** The meeting one was in. */
export interface Been {
  title: string;
  /** For how long. */
  ms: number;
  /** One was its host, and finds its recording among one's own. */
  hasRecording: boolean;
}

interface OverProps {
  ended: Ended;
  been: Been;
  entry: Entry;
  onAgain: () => void;
}

/** Ends after which a telephone may be the way that is left. */
const BY_PHONE: ReadonlySet<string> = new Set(['unreachable', 'too_slow']);

/** After the meeting: why, which it was, and where to. */
export function Over({ ended, been, entry, onAgain }: OverProps) {
  const { t, i18n } = useTranslation();
  const why = 'problem' in ended ? problemText(t, ended.problem) : t(`ended.${ended.reason}`);
  return (
    <Page title={why} width={480}>
      <Stack
        align="flex-start"
        gap="lg"
        pt={{ base: 'xl', sm: 80 }}
        data-testid="over"
        data-reason={ended.reason}
      >
        <div>
          <Title order={1} fz={26}>
            {why}
          </Title>
          <Text mt={6} style={{ overflowWrap: 'anywhere' }} data-testid="over-meeting">
            <bdi>{been.title}</bdi>
          </Text>
          <Text fz="sm" c="dimmed" data-testid="over-time">
            {t('ended.lasted', { time: inUnits(been.ms, i18n.language) })}
          </Text>
        </div>
        <Group>
          {!isEmbedded && (
            <Button component={Link} to="/" variant={AGAIN.has(ended.reason) ? 'default' : 'filled'}>
              {t('home.back')}
            </Button>
          )}
          {been.hasRecording && !isEmbedded && (
            <Button
              component={Link}
              to="/"
              state={{ period: 'recordings' }}
              variant="default"
              data-testid="over-recordings"
            >
              {t('home.recordings')}
            </Button>
          )}
          {AGAIN.has(ended.reason) && (
            <Button onClick={onAgain} data-testid="join-again">
              {t('ended.again')}
            </Button>
          )}
          {BY_PHONE.has(ended.reason) && !isEmbedded && (
            <ByPhone
              size="sm"
              style={{ alignSelf: 'center' }}
              number={entry.door.number}
              password={entry.password}
            />
          )}
        </Group>
      </Stack>
    </Page>
  );
}
