import { Alert, Anchor, Button, Divider, PasswordInput, Stack, TextInput } from '@mantine/core';
import { type SubmitEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link, useLocation, useSearchParams } from 'react-router';
import { useAccount } from '../account';
import { useInfo } from '../info';
import { problemText } from '../problems';

export function LoginForm() {
  const { t } = useTranslation();
  const login = useAccount(state => state.login);
  const [name, setName] = useState('');
  const [password, setPassword] = useState('');
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<unknown>(null);

  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    try {
      await login(name.trim(), password);
    } catch (thrown) {
      setProblem(thrown);
      setBusy(false);
    }
  };

  return (
    <form onSubmit={event => void submit(event)}>
      <Stack>
        <TextInput
          label={t('login.name')}
          autoComplete="username"
          autoCapitalize="none"
          required
          withAsterisk={false}
          value={name}
          onChange={event => setName(event.currentTarget.value)}
          data-testid="login-name"
        />
        <PasswordInput
          label={t('login.password')}
          autoComplete="current-password"
          required
          withAsterisk={false}
          value={password}
          onChange={event => setPassword(event.currentTarget.value)}
          data-testid="login-password"
        />
        {problem !== null && (
          <Alert color="red" variant="light" data-testid="login-problem">
            {problemText(t, problem)}
          </Alert>
        )}
        <Anchor component={Link} to="/forgot" fz="sm" data-testid="forgot">
          {t('forgot.link')}
        </Anchor>
        <Button type="submit" variant="default" loading={busy} data-testid="login-submit">
          {t('login.submit')}
        </Button>
        <SignOn />
      </Stack>
    </form>
  );
}

const REFUSALS = [
  'off',
  'unavailable',
  'expired',
  'refused',
  'no_account',
  'name_taken',
  'disabled',
] as const;

/** The company's own login, where the server knows one; and why it did not let somebody in. */
function SignOn() {
  const { t } = useTranslation();
  const label = useInfo()?.sign_on;
  const { pathname } = useLocation();
  const [search] = useSearchParams();
  const refusal = REFUSALS.find(known => known === search.get('sign_on'));
  return (
    <>
      {refusal && (
        <Alert color="red" variant="light" data-testid="sign-on-problem">
          {t(`signOn.${refusal}`)}
        </Alert>
      )}
      {label && (
        <>
          <Divider label={t('signOn.or')} />
          <Button
            component="a"
            href={`/api/v1/sign-on?back=${encodeURIComponent(pathname)}`}
            variant="default"
            data-testid="sign-on"
          >
            {label}
          </Button>
        </>
      )}
    </>
  );
}
