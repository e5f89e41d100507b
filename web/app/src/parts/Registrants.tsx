import type { OwnMeeting, Registrant } from '@huitong/sdk';
import { Alert, Badge, Button, Group, Loader, Stack, Text } from '@mantine/core';
import { Download } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { inUnits } from '../numbers';
import { problemText } from '../problems';
import { rest } from '../rest';
import { CopyField } from './CopyField';
import { useAsked } from './useAsked';
import { Written } from './Written';

const COLOURS: Record<string, string> = { waiting: 'yellow', approved: 'teal', denied: 'gray' };

const read = (id: string) => rest.registrants(id);

/** 报名观众: who has registered for a webinar (B7), who may watch, and where others register. */
export function Registrants({ meeting }: { meeting: OwnMeeting }) {
  const { t } = useTranslation();
  const { found, setFound, problem } = useAsked(meeting.id, read);
  const [refused, setRefused] = useState<unknown>(null);
  const decide = async (one: Registrant, isApproved: boolean) => {
    setRefused(null);
    try {
      await rest.decideRegistrant(meeting.id, one.id, isApproved);
      const state = isApproved ? 'approved' : 'denied';
      setFound(all => all?.map(other => (other.id === one.id ? { ...one, state } : other)) ?? null);
    } catch (thrown) {
      setRefused(thrown);
    }
  };
  const wrong = problem ?? refused;
  return (
    <Stack>
      {meeting.watch && (
        <CopyField
          label={t('audience.registerAt')}
          value={new URL(meeting.watch, location.href).href}
          data-testid="registrants-address"
        />
      )}
      {wrong !== null && (
        <Alert color="red" variant="light">
          {problemText(t, wrong)}
        </Alert>
      )}
      {found === null && problem === null && <Loader size="sm" mx="auto" />}
      {found?.length === 0 && (
        <Text c="dimmed" fz="sm" ta="center" data-testid="registrants-none">
          {t('audience.none')}
        </Text>
      )}
      {found && found.length > 0 && (
        <>
          <Stack gap="xs" mah="50dvh" style={{ overflowY: 'auto' }} tabIndex={0}>
            {found.map(one => (
              <OneRegistrant key={one.id} one={one} onDecide={isApproved => void decide(one, isApproved)} />
            ))}
          </Stack>
          <Button
            component="a"
            href={rest.registrantsTable(meeting.id)}
            variant="default"
            leftSection={<Download size={16} />}
            data-testid="registrants-table"
          >
            {t('audience.table')}
          </Button>
        </>
      )}
    </Stack>
  );
}

interface OneProps {
  one: Registrant;
  onDecide: (isApproved: boolean) => void;
}

function OneRegistrant({ one, onDecide }: OneProps) {
  const { t, i18n } = useTranslation();
  const { name, email, organisation, state, watched_seconds: watched } = one;
  const details = [
    organisation,
    email,
    watched > 0 ? t('audience.watched', { time: inUnits(watched * 1_000, i18n.language) }) : '',
  ].filter(Boolean);
  return (
    // Where there is no room beside who it is, what is done stands below.
    <Group
      gap="4px 16px"
      pb="xs"
      style={{ borderBottom: '1px solid var(--line)' }}
      data-testid="registrant"
      data-email={email}
      data-state={state}
    >
      <div style={{ flex: '1 1 215px', minWidth: 0 }}>
        <Text fz="sm" truncate>
          <Written text={name} />
        </Text>
        {details.map(detail => (
          <Text key={detail} fz="xs" c="dimmed" style={{ overflowWrap: 'anywhere' }}>
            {detail}
          </Text>
        ))}
      </div>
      <Group gap="xs" wrap="nowrap" ml="auto">
        {state === 'waiting' ? (
          <>
            <Button size="compact-sm" onClick={() => onDecide(true)} data-testid="registrant-approve">
              {t('audience.approve')}
            </Button>
            <Button
              size="compact-sm"
              variant="subtle"
              color="red"
              onClick={() => onDecide(false)}
              data-testid="registrant-decline"
            >
              {t('audience.decline')}
            </Button>
          </>
        ) : (
          <>
            <Badge variant="light" color={COLOURS[state] ?? 'gray'}>
              {t(`audience.${state as 'approved'}`)}
            </Badge>
            {/* A word that was too quick is taken back. */}
            <Button
              size="compact-sm"
              variant="subtle"
              color="gray"
              onClick={() => onDecide(state === 'denied')}
              data-testid="registrant-other"
            >
              {t(state === 'denied' ? 'audience.approve' : 'audience.decline')}
            </Button>
          </>
        )}
      </Group>
    </Group>
  );
}
