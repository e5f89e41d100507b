import type { Ended } from '@huitong/sdk';
import { Button, Group, Stack, Title } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';
import { isEmbedded } from '../embed/mode';
import { Page } from '../parts/Page';
import { problemText } from '../problems';

/** Ends after which another try makes sense. */
const AGAIN: ReadonlySet<string> = new Set([
  'left',
  'replaced',
  'unreachable',
  'server_stopping',
  'too_slow',
]);

/** After the meeting: why, and where to. */
export function Over({ ended, onAgain }: { ended: Ended; onAgain: () => void }) {
  const { t } = useTranslation();
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
        <Title order={1} fz={26}>
          {why}
        </Title>
        <Group>
          {!isEmbedded && (
            <Button component={Link} to="/" variant={AGAIN.has(ended.reason) ? 'default' : 'filled'}>
              {t('home.back')}
            </Button>
          )}
          {AGAIN.has(ended.reason) && (
            <Button onClick={onAgain} data-testid="join-again">
              {t('ended.again')}
            </Button>
          )}
        </Group>
      </Stack>
    </Page>
  );
}
