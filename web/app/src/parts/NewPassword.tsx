import { Alert, Button, Group, PasswordInput, Stack } from '@mantine/core';
import { type ReactNode, type SubmitEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { isStrong } from '../password';
import { problemText } from '../problems';

interface NewPasswordProps {
  /** Whether the present one is asked for. */
  asksOld?: boolean;
  onSubmit: (password: string, old: string) => Promise<void>;
  /** Beside the button. */
  children?: ReactNode;
}

/** A new password, twice, by the rule of L6. */
export function NewPassword({ asksOld = false, onSubmit, children }: NewPasswordProps) {
  const { t } = useTranslation();
  const [old, setOld] = useState('');
  const [password, setPassword] = useState('');
  const [again, setAgain] = useState('');
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<unknown>(null);
  const isWeak = password !== '' && !isStrong(password);
  const differs = again !== '' && again !== password;
  const isReady = (!asksOld || old) && isStrong(password) && again === password;

  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    try {
      await onSubmit(password, old);
      setOld('');
      setPassword('');
      setAgain('');
    } catch (thrown) {
      setProblem(thrown);
    } finally {
      setBusy(false);
    }
  };
  return (
    <form onSubmit={event => void submit(event)}>
      <Stack>
        {asksOld && (
          <PasswordInput
            label={t('password.old')}
            autoComplete="current-password"
            value={old}
            onChange={event => setOld(event.currentTarget.value)}
            data-testid="password-old"
          />
        )}
        <PasswordInput
          label={t('password.new')}
          description={t('password.rule')}
          error={isWeak && t('password.weak')}
          autoComplete="new-password"
          value={password}
          onChange={event => setPassword(event.currentTarget.value)}
          data-testid="password-new"
        />
        <PasswordInput
          label={t('password.again')}
          error={differs && t('password.differs')}
          autoComplete="new-password"
          value={again}
          onChange={event => setAgain(event.currentTarget.value)}
          data-testid="password-again"
        />
        {problem !== null && (
          <Alert color="red" variant="light" data-testid="password-problem">
            {problemText(t, problem)}
          </Alert>
        )}
        <Group justify="flex-end">
          {children}
          <Button type="submit" loading={busy} disabled={!isReady} data-testid="password-submit">
            {t('password.done')}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
