import { Alert, Button, Group } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { problemText } from '../problems';

/** What could not be fetched, and another try. */
export function Retry({ problem, onRetry }: { problem: unknown; onRetry: () => void }) {
  const { t } = useTranslation();
  return (
    <Alert color="red" variant="light" mt="md" data-testid="retry-problem">
      <Group justify="space-between" gap="sm">
        <span>{problemText(t, problem)}</span>
        <Button size="compact-sm" variant="light" color="red" onClick={onRetry} data-testid="retry">
          {t('problems.retry')}
        </Button>
      </Group>
    </Alert>
  );
}
