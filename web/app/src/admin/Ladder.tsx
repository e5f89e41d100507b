import type { CallInfo } from '@huitong/sdk';
import { Alert, Button, Group, Loader, Stack, Text } from '@mantine/core';
import { Download } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { problemText } from '../problems';
import { rest } from '../rest';
import styles from './admin.module.css';
import { useAsked } from '../parts/useAsked';

const ladder = (call: string) => rest.ladder(call);

/** What was signalled in a call: who said what when, then each message; as a file too. */
export function Ladder({ call }: { call: CallInfo }) {
  const { t } = useTranslation();
  const { found: text, problem } = useAsked(call.id, ladder);
  return (
    <Stack gap="sm">
      <Text fz="sm" c="dimmed">
        {t('calls.ladderHint')}
      </Text>
      {problem !== null && (
        <Alert color="yellow" variant="light" data-testid="ladder-problem">
          {t('calls.noLadder')} {problemText(t, problem)}
        </Alert>
      )}
      {text === null && problem === null && <Loader size="sm" mx="auto" display="block" my="xl" />}
      {text !== null && (
        <>
          <pre
            className={styles.ladder}
            tabIndex={0}
            aria-label={t('calls.ladder')}
            role="region"
            data-testid="ladder"
          >
            {text}
          </pre>
          <Group gap="xs" justify="flex-end">
            {(['txt', 'pcap'] as const).map(form => (
              <Button
                key={form}
                component="a"
                href={rest.ladderFile(call.id, form)}
                download
                size="sm"
                variant={form === 'pcap' ? 'filled' : 'default'}
                leftSection={<Download size={15} />}
                data-testid={`ladder-${form}`}
              >
                {t(`calls.ladder_${form}`)}
              </Button>
            ))}
          </Group>
        </>
      )}
    </Stack>
  );
}
