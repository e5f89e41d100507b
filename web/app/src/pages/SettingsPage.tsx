import type { TFunction } from 'i18next';
import type { Info as ServerInfo } from '@huitong/sdk';
import type { Account } from '@huitong/sdk';
import { Alert, Anchor, Button, Group, Stack, Switch, Table, Text, TextInput, Title } from '@mantine/core';
import { Info, KeyRound, Settings, UserRound } from 'lucide-react';
import { type ReactNode, type SubmitEvent, useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useAccount } from '../account';
import { avatarOf } from '../avatar';
import { isCurrent } from '../build';
import { telLink, useInfo } from '../info';
import { DeviceChoice } from '../media/DeviceChoice';
import { Face } from '../parts/AccountMenu';
import { ChooseFile } from '../parts/ChooseFile';
import { NewPassword } from '../parts/NewPassword';
import { Page } from '../parts/Page';
import { PreferenceFields } from '../parts/Preferences';
import { PhonePin } from '../parts/PhonePin';
import { Tabbed } from '../parts/Tabbed';
import { problemText } from '../problems';
import { rest } from '../rest';
import { useSettings } from '../settings';

const TABS = { profile: UserRound, password: KeyRound, meeting: Settings, about: Info };
type Tab = keyof typeof TABS;

/** `/settings`: oneself, the password, how one comes into meetings, the server. L5, L6, A6. */
export function SettingsPage() {
  const { t } = useTranslation();
  const account = useAccount(state => state.account);
  if (account === undefined) return null;
  const tabs = (Object.keys(TABS) as Tab[])
    .filter(tab => account || (tab !== 'profile' && tab !== 'password'))
    .map(tab => ({ tab, icon: TABS[tab], label: t(`settings.${tab}`) }));
  return (
    <Page title={t('settings.title')} width={900}>
      <Title order={1} fz={24} mb="lg">
        {t('settings.title')}
      </Title>
      <Tabbed tabs={tabs}>
        {tab => (
          <>
            {tab === 'profile' && account && <Profile key={account.id} account={account} />}
            {tab === 'password' && <Password />}
            {tab === 'meeting' && <MeetingSettings />}
            {tab === 'about' && <About />}
          </>
        )}
      </Tabbed>
    </Page>
  );
}

/** 用户信息. */
function Profile({ account }: { account: Account }) {
  const { t } = useTranslation();
  const renew = useAccount(state => state.renew);
  const [name, setName] = useState(account.display_name);
  const [email, setEmail] = useState(account.email ?? '');
  const [mobile, setMobile] = useState(account.mobile ?? '');
  const [said, setSaid] = useState<'saved' | 'badPicture' | null>(null);
  const [problem, setProblem] = useState<unknown>(null);

  const change = async (what: Parameters<typeof rest.changeMe>[0]) => {
    setProblem(null);
    setSaid(null);
    try {
      renew(await rest.changeMe(what));
      setSaid('saved');
    } catch (thrown) {
      setProblem(thrown);
    }
  };
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    void change({ display_name: name.trim(), email: email.trim(), mobile: mobile.trim() });
  };
  const choose = (file: File) => {
    avatarOf(file).then(
      avatar => void change({ avatar }),
      () => setSaid('badPicture'),
    );
  };
  return (
    <form onSubmit={submit}>
      <Stack maw={440}>
        <Group>
          <Face account={account} size={72} />
          <ChooseFile accept="image/*" onFile={choose} testid="avatar-choose">
            {t('profile.picture')}
          </ChooseFile>
          {account.avatar && (
            <Button
              variant="subtle"
              color="gray"
              size="sm"
              onClick={() => void change({ avatar: '' })}
              data-testid="avatar-remove"
            >
              {t('profile.noPicture')}
            </Button>
          )}
        </Group>
        <TextInput
          label={t('join.name')}
          maxLength={40}
          value={name}
          onChange={event => setName(event.currentTarget.value)}
          data-testid="profile-name"
        />
        <Facts
          rows={[
            [t('profile.account'), account.name],
            [t('profile.site'), account.site],
          ]}
        />
        <TextInput
          label={t('profile.email')}
          type="email"
          autoComplete="email"
          value={email}
          onChange={event => setEmail(event.currentTarget.value)}
          data-testid="profile-email"
        />
        <TextInput
          label={t('profile.mobile')}
          type="tel"
          autoComplete="tel"
          value={mobile}
          onChange={event => setMobile(event.currentTarget.value)}
          data-testid="profile-mobile"
        />
        <PhonePin />
        {problem !== null && (
          <Alert color="red" variant="light" data-testid="profile-problem">
            {problemText(t, problem)}
          </Alert>
        )}
        {said && (
          <Alert color={said === 'saved' ? 'teal' : 'red'} variant="light" data-testid={`profile-${said}`}>
            {t(`profile.${said}`)}
          </Alert>
        )}
        <Group justify="flex-end">
          <Button type="submit" disabled={!name.trim()} data-testid="profile-save">
            {t('meeting.save')}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

function Password() {
  const { t } = useTranslation();
  const { account, renew } = useAccount();
  const [isDone, setDone] = useState(false);
  return (
    <Stack maw={440}>
      <NewPassword
        asksOld
        onSubmit={async (password, old) => {
          setDone(false);
          await rest.changePassword(old, password);
          if (account) renew({ ...account, initial_password: false });
          setDone(true);
        }}
      />
      {isDone && (
        <Alert color="teal" variant="light" data-testid="password-changed">
          {t('password.changed')}
        </Alert>
      )}
    </Stack>
  );
}

/** 会议设置. */
function MeetingSettings() {
  const { t } = useTranslation();
  const settings = useSettings();
  return (
    <Stack maw={440} gap="lg">
      {(['connectAudio', 'startMuted', 'cameraOff', 'shortcuts'] as const).map(name => (
        <Switch
          key={name}
          label={t(`settings.${name}`)}
          description={t(`settings.${name}Hint`)}
          checked={settings[name]}
          onChange={event => settings.remember({ [name]: event.currentTarget.checked })}
          data-testid={`setting-${name}`}
        />
      ))}
      <DesktopReminders />
      <DeviceChoice />
      <PreferenceFields />
    </Stack>
  );
}

/** 关于. */
function About() {
  const { t } = useTranslation();
  const info = useInfo();
  return (
    <Stack maw={440}>
      <Text fw={600}>{t('brand')}</Text>
      <Facts
        rows={[
          [t('about.version'), <Version version={info?.version} />],
          [t('about.sip'), info?.sip.host],
          ...(info?.phones ?? []).map(({ name, number }): [string, ReactNode] => [
            name || t('dial.number'),
            <Anchor href={`tel:${number}`} fz="sm">
              {number}
            </Anchor>,
          ]),
          ...(info ? support(info, t) : []),
        ]}
      />
    </Stack>
  );
}

/** The server's version, and whether this page is of it (A6); a page that has stood open for long may not be. */
function Version({ version }: { version: string | undefined }) {
  const { t } = useTranslation();
  const [isNew, setNew] = useState<boolean | null>(null);
  useEffect(() => {
    isCurrent().then(setNew, () => undefined);
  }, []);
  return (
    <Group gap="sm">
      <span data-testid="version">{version}</span>
      {isNew === true && (
        <Text span fz="sm" c="dimmed" data-testid="version-current">
          {t('about.current')}
        </Text>
      )}
      {isNew === false && (
        <Button
          size="compact-sm"
          variant="light"
          onClick={() => location.reload()}
          data-testid="version-update"
        >
          {t('about.update')}
        </Button>
      )}
    </Group>
  );
}

/** 在线客服 and 客服热线 (A6), where the operator set them. */
function support({ support: { url, hotline } }: ServerInfo, t: TFunction): [string, ReactNode][] {
  const rows: [string, ReactNode][] = [];
  if (url) {
    rows.push([
      t('about.service'),
      <Anchor href={url} fz="sm" target="_blank" rel="noreferrer" data-testid="support-url">
        {t('about.contact')}
      </Anchor>,
    ]);
  }
  if (hotline) {
    rows.push([
      t('about.hotline'),
      <Anchor href={telLink(hotline)} fz="sm" data-testid="support-hotline">
        {hotline}
      </Anchor>,
    ]);
  }
  return rows;
}

function Facts({ rows }: { rows: [string, ReactNode][] }) {
  return (
    <Table withRowBorders={false} verticalSpacing={4} horizontalSpacing={0} fz="sm">
      <Table.Tbody>
        {rows.map(([name, value]) => (
          <Table.Tr key={name}>
            <Table.Td c="dimmed" w={130}>
              {name}
            </Table.Td>
            <Table.Td style={{ overflowWrap: 'anywhere' }}>{value}</Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}

/** 会前桌面提醒: the browser asks whether it may when this is switched on. */
function DesktopReminders() {
  const { t } = useTranslation();
  const { desktopReminders, remember } = useSettings();
  const [isRefused, setRefused] = useState(false);
  if (!('Notification' in window)) return null;
  const choose = async (wanted: boolean) => {
    const isAllowed = wanted && (await Notification.requestPermission()) === 'granted';
    setRefused(wanted && !isAllowed);
    remember({ desktopReminders: isAllowed });
  };
  return (
    <Switch
      label={t('settings.desktopReminders')}
      description={t('settings.desktopRemindersHint')}
      error={isRefused && t('settings.desktopRemindersRefused')}
      checked={desktopReminders && Notification.permission === 'granted'}
      onChange={event => void choose(event.currentTarget.checked)}
      data-testid="setting-desktopReminders"
    />
  );
}
