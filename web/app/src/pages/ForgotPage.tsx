import { Alert, Anchor, Button, Card, SegmentedControl, Stack, Text, TextInput, Title } from '@mantine/core';
import { type SubmitEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';
import { NewPassword } from '../parts/NewPassword';
import { useInfo } from '../info';
import { Page } from '../parts/Page';
import { problemText } from '../problems';
import { rest } from '../rest';

/** `/forgot`: a link by mail or a code to the mobile (L3). Says the same whether there is such an account or not. */
export function ForgotPage() {
  const { t } = useTranslation();
  const [name, setName] = useState('');
  const info = useInfo();
  // Until it is known all is offered: the server says what it can't.
  const ways = [
    { value: 'email' as const, label: t('forgot.byEmail'), isThere: info?.mail ?? true },
    { value: 'sms' as const, label: t('forgot.bySms'), isThere: info?.sms ?? true },
  ].filter(({ isThere }) => isThere);
  const [chosen, setBy] = useState<'email' | 'sms'>('email');
  const by = ways.some(({ value }) => value === chosen) ? chosen : ways[0]?.value;
  const [isSent, setSent] = useState(false);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<unknown>(null);

  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    if (!by) return;
    setBusy(true);
    setProblem(null);
    await rest.forgotPassword(name.trim(), by).then(() => setSent(true), setProblem);
    setBusy(false);
  };
  return (
    <Door title={t('forgot.title')}>
      {!by && <Text data-testid="forgot-none">{t('forgot.none')}</Text>}
      {by && !isSent && (
        <form onSubmit={event => void submit(event)}>
          <Stack>
            {ways.length > 1 && (
              <SegmentedControl
                fullWidth
                value={by}
                onChange={value => setBy(value)}
                data={ways.map(({ value, label }) => ({ value, label }))}
                data-testid="forgot-by"
              />
            )}
            <TextInput
              label={t('login.name')}
              autoComplete="username"
              autoCapitalize="none"
              value={name}
              onChange={event => setName(event.currentTarget.value)}
              data-testid="forgot-name"
            />
            {problem !== null && (
              <Alert color="red" variant="light">
                {problemText(t, problem)}
              </Alert>
            )}
            <Button type="submit" loading={busy} disabled={!name.trim()} data-testid="forgot-submit">
              {t('forgot.send')}
            </Button>
          </Stack>
        </form>
      )}
      {isSent && by === 'email' && <Text data-testid="forgot-sent">{t('forgot.sentEmail')}</Text>}
      {isSent && by === 'sms' && <ByCode name={name.trim()} />}
    </Door>
  );
}

function ByCode({ name }: { name: string }) {
  const { t } = useTranslation();
  const [code, setCode] = useState('');
  const [isDone, setDone] = useState(false);
  if (isDone) return <Done />;
  return (
    <Stack>
      <Text fz="sm" data-testid="forgot-sent">
        {t('forgot.sentSms')}
      </Text>
      <TextInput
        label={t('forgot.code')}
        inputMode="numeric"
        autoComplete="one-time-code"
        value={code}
        onChange={event => setCode(event.currentTarget.value)}
        data-testid="forgot-code"
      />
      <NewPassword
        onSubmit={async password => {
          await rest.resetPassword(code.trim(), password, name);
          setDone(true);
        }}
      />
    </Stack>
  );
}

/** `/reset#TOKEN`: where the mail's link leads; the token is seen by no server along the way. */
export function ResetPage() {
  const { t } = useTranslation();
  const [token] = useState(() => location.hash.slice(1));
  const [isDone, setDone] = useState(false);
  return (
    <Door title={t('forgot.resetTitle')}>
      {isDone ? (
        <Done />
      ) : token ? (
        <NewPassword
          onSubmit={async password => {
            await rest.resetPassword(token, password);
            history.replaceState(null, '', location.pathname);
            setDone(true);
          }}
        />
      ) : (
        <Text>{t('forgot.noToken')}</Text>
      )}
    </Door>
  );
}

function Done() {
  const { t } = useTranslation();
  return (
    <Stack>
      <Alert color="teal" variant="light" data-testid="reset-done">
        {t('forgot.done')}
      </Alert>
      <Button component={Link} to="/">
        {t('login.submit')}
      </Button>
    </Stack>
  );
}

function Door({ title, children }: { title: string; children: React.ReactNode }) {
  const { t } = useTranslation();
  return (
    <Page title={title} width={440}>
      <Card withBorder radius="lg" padding="xl" shadow="sm" mt={{ base: 0, sm: 'xl' }}>
        <Title order={1} fz="xl" mb="md">
          {title}
        </Title>
        {children}
        <Anchor component={Link} to="/" fz="sm" mt="md">
          {t('home.back')}
        </Anchor>
      </Card>
    </Page>
  );
}
