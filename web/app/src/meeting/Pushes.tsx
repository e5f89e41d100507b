import type { Push } from '@huitong/sdk';
import { Alert, Badge, Button, CloseButton, Group, Stack, Text, TextInput } from '@mantine/core';
import { type SubmitEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { problemText } from '../problems';
import { attempt } from './controls';
import { useMeeting, useMeetingState } from './useMeeting';
import { Written } from '../parts/Written';

const COLOURS: Record<Push['state'], string> = {
  connecting: 'blue',
  live: 'teal',
  retrying: 'yellow',
  refused: 'red',
  not_allowed: 'red',
};

/** 推流: where else the livestream goes, and how each of them does (B3). */
export function Pushes() {
  const { t } = useTranslation();
  const meeting = useMeeting();
  const pushes = useMeetingState(({ broadcast }) => broadcast?.pushes);
  const [url, setUrl] = useState('');
  const [name, setName] = useState('');
  const [problem, setProblem] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);

  const start = async (event: SubmitEvent) => {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    try {
      await meeting.startPush(url.trim(), name.trim() || null);
      setUrl('');
      setName('');
    } catch (thrown) {
      // What was typed stays, to be mended.
      setProblem(thrown);
    } finally {
      setBusy(false);
    }
  };

  return (
    <Stack gap={pushes?.length ? 'md' : 0}>
      <form onSubmit={event => void start(event)}>
        <Stack gap="sm">
          <TextInput
            label={t('push.url')}
            description={t('push.urlHint')}
            autoComplete="off"
            spellCheck={false}
            required
            withAsterisk={false}
            maxLength={1000}
            value={url}
            onChange={event => setUrl(event.currentTarget.value)}
            data-testid="push-url"
          />
          <TextInput
            label={t('push.name')}
            autoComplete="off"
            maxLength={40}
            value={name}
            onChange={event => setName(event.currentTarget.value)}
            data-testid="push-name"
          />
          {problem !== null && (
            <Alert color="red" variant="light" data-testid="push-problem">
              {problemText(t, problem)}
            </Alert>
          )}
          <Group justify="flex-end">
            <Button type="submit" loading={busy} disabled={!url.trim()} data-testid="push-submit">
              {t('push.submit')}
            </Button>
          </Group>
        </Stack>
      </form>
      <Stack gap={6} role="status" aria-live="polite">
        {pushes?.map(push => (
          <Group key={push.id} gap="sm" wrap="nowrap" mih={34} data-testid="push" data-state={push.state}>
            <div style={{ flex: 1, minWidth: 0 }}>
              <Text fz="sm" truncate>
                <Written text={push.name} />
              </Text>
              {push.name !== push.url && (
                <Text fz="xs" c="dimmed" truncate>
                  {push.url}
                </Text>
              )}
              {(push.state === 'not_allowed' || push.state === 'refused') && (
                <Text fz="xs" c="red">
                  {t(push.state === 'refused' ? 'push.refusedHint' : 'push.notAllowedHint')}
                </Text>
              )}
            </div>
            <Badge color={COLOURS[push.state]} variant="light" style={{ flexShrink: 0 }}>
              {t(`push.${push.state}`)}
            </Badge>
            <CloseButton
              aria-label={t('push.stop', { name: push.name })}
              onClick={() => void attempt(() => meeting.stopPush(push.id))}
              data-testid="push-stop"
            />
          </Group>
        ))}
      </Stack>
    </Stack>
  );
}
