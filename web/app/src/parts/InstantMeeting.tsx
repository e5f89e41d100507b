import type { OwnMeeting } from '@huitong/sdk';
import { Alert, Button, Stack, TextInput } from '@mantine/core';
import { type SubmitEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { problemText } from '../problems';
import { rest } from '../rest';

/** 即时会议: a topic, a password if wanted, and one is in. */
export function InstantMeeting({
  owner,
  onStart,
}: {
  owner: string;
  onStart: (meeting: OwnMeeting) => void;
}) {
  const { t } = useTranslation();
  const [title, setTitle] = useState(t('instant.defaultTitle', { name: owner }));
  const [password, setPassword] = useState('');
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<unknown>(null);
  const isBad = password !== '' && !/^\d{6}$/.test(password);

  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    try {
      onStart(await rest.createMeeting({ title, ...(password && { password }) }));
    } catch (thrown) {
      setProblem(thrown);
      setBusy(false);
    }
  };

  return (
    <form onSubmit={event => void submit(event)}>
      <Stack>
        <TextInput
          label={t('instant.title')}
          required
          withAsterisk={false}
          maxLength={80}
          value={title}
          onChange={event => setTitle(event.currentTarget.value)}
          data-testid="instant-title"
        />
        <TextInput
          label={t('instant.password')}
          placeholder={t('instant.passwordHint')}
          inputMode="numeric"
          maxLength={6}
          autoComplete="off"
          error={isBad && password.length === 6 ? t('instant.passwordBad') : undefined}
          value={password}
          onChange={event => setPassword(event.currentTarget.value)}
          data-testid="instant-password"
        />
        {problem !== null && (
          <Alert color="red" variant="light">
            {problemText(t, problem)}
          </Alert>
        )}
        <Button type="submit" loading={busy} disabled={isBad || !title.trim()} data-testid="instant-start">
          {t('instant.start')}
        </Button>
      </Stack>
    </form>
  );
}
