import { Alert, Group, Loader, NativeSelect, Text, Title } from '@mantine/core';
import { AudioLines, PhoneCall, PhoneOutgoing } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useAccount } from '../account';
import { NotFoundPage } from '../pages/NotFoundPage';
import { Page } from '../parts/Page';
import { Tabbed } from '../parts/Tabbed';
import { problemText } from '../problems';
import { rest } from '../rest';
import { Calling } from './Calling';
import { Calls } from './Calls';
import { Prompts } from './Prompts';
import { useAsked } from '../parts/useAsked';

const TABS = { calls: PhoneCall, calling: PhoneOutgoing, prompts: AudioLines };
type Tab = keyof typeof TABS;

const sitesSeen = () => rest.sites();

/** `/admin`: what administrators see and set about their site's telephones (A1). */
export function AdminPage() {
  const { t } = useTranslation();
  const account = useAccount(state => state.account);
  const [chosen, setChosen] = useState('');
  const role = account?.role;
  const { found: sites, problem } = useAsked(role && role !== 'member' ? role : null, sitesSeen);

  if (account === undefined) return null;
  if (!account || account.role === 'member') return <NotFoundPage />;
  const site = sites?.find(({ id }) => id === chosen) ?? sites?.find(({ id }) => id === account.site_id);
  const tabs = (Object.keys(TABS) as Tab[]).map(tab => ({ tab, icon: TABS[tab], label: t(`admin.${tab}`) }));
  return (
    <Page title={t('admin.title')} width={1180}>
      <Group justify="space-between" align="flex-end" mb="lg" gap="sm">
        <Title order={1} fz={24}>
          {t('admin.title')}
        </Title>
        {sites && sites.length > 1 && site ? (
          <NativeSelect
            aria-label={t('admin.site')}
            value={site.id}
            onChange={event => setChosen(event.currentTarget.value)}
            data={sites.map(({ id, name }) => ({ value: id, label: name }))}
            data-testid="admin-site"
          />
        ) : (
          <Text c="dimmed">{site?.name}</Text>
        )}
      </Group>
      {problem !== null && (
        <Alert color="red" variant="light" data-testid="admin-problem">
          {problemText(t, problem)}
        </Alert>
      )}
      {!site && problem === null && <Loader size="sm" mx="auto" display="block" my="xl" />}
      {site && (
        <Tabbed tabs={tabs}>
          {tab => (
            <>
              {tab === 'calls' && <Calls key={site.id} site={site} account={account} />}
              {tab === 'calling' && <Calling key={site.id} site={site} account={account} />}
              {tab === 'prompts' && <Prompts key={site.id} site={site} />}
            </>
          )}
        </Tabbed>
      )}
    </Page>
  );
}
