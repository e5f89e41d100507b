import type { OwnMeeting, WatchAccess, WatchSettings } from '@huitong/sdk';
import { Alert, Button, Group, Loader, Radio, Stack, TextInput } from '@mantine/core';
import { type SubmitEvent, useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { problemText } from '../problems';
import { rest } from '../rest';
import { CopyField } from './CopyField';
import { Registrants } from './Registrants';
import { Sheet } from './Sheet';

/** A webinar's is by its booking. */
const ALL = ['public', 'password', 'link', 'registered'] as const satisfies WatchAccess[];

interface AudienceProps {
  meeting: OwnMeeting | null;
  onClose: () => void;
}

/** 谁可以观看: who may watch a meeting's livestream (B5), and the link to hand out. */
export function Audience({ meeting, onClose }: AudienceProps) {
  const { t } = useTranslation();
  return (
    <Sheet
      opened={meeting !== null}
      onClose={onClose}
      title={t(meeting?.options.webinar ? 'audience.registrations' : 'audience.title')}
    >
      {meeting?.options.webinar && <Registrants key={meeting.id} meeting={meeting} />}
      {meeting && !meeting.options.webinar && <Settings key={meeting.id} id={meeting.id} />}
    </Sheet>
  );
}

function Settings({ id }: { id: string }) {
  const { t } = useTranslation();
  const [known, setKnown] = useState<WatchSettings | null>(null);
  const [access, setAccess] = useState<WatchAccess>('public');
  const [password, setPassword] = useState('');
  const [problem, setProblem] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);

  useEffect(() => {
    let isCurrent = true;
    const read = async () => {
      try {
        const found = await rest.watchSettings(id);
        if (!isCurrent) return;
        setKnown(found);
        setAccess(found.access);
        setPassword(found.password ?? '');
      } catch (thrown) {
        if (isCurrent) setProblem(thrown);
      }
    };
    void read();
    return () => {
      isCurrent = false;
    };
  }, [id]);

  const save = async (event: SubmitEvent) => {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    try {
      setKnown(await rest.setWatchSettings(id, access, access === 'password' ? password.trim() : undefined));
    } catch (thrown) {
      setProblem(thrown);
    } finally {
      setBusy(false);
    }
  };

  const isSaved = known?.access === access && (access !== 'password' || known.password === password.trim());
  return (
    <form onSubmit={event => void save(event)}>
      <Stack gap="md">
        {problem !== null && (
          <Alert color="red" variant="light" data-testid="audience-problem">
            {problemText(t, problem)}
          </Alert>
        )}
        {known === null && problem === null && <Loader size="sm" mx="auto" />}
        {known && (
          <>
            <Radio.Group value={access} onChange={setAccess} label={t('audience.who')}>
              <Stack gap="xs" mt="xs">
                {ALL.map(value => (
                  <Radio
                    key={value}
                    value={value}
                    label={t(`audience.${value}`)}
                    description={t(`audience.${value}Hint`)}
                    data-testid={`audience-${value}`}
                  />
                ))}
              </Stack>
            </Radio.Group>
            {access === 'password' && (
              <TextInput
                label={t('audience.password')}
                description={t('audience.passwordRule')}
                inputMode="numeric"
                autoComplete="off"
                maxLength={10}
                value={password}
                onChange={event => setPassword(event.currentTarget.value)}
                data-testid="audience-code"
              />
            )}
            {isSaved ? (
              <CopyField label={t('audience.address')} value={known.link} data-testid="audience-address" />
            ) : (
              <Group justify="flex-end">
                <Button
                  type="submit"
                  loading={busy}
                  disabled={access === 'password' && !password.trim()}
                  data-testid="audience-save"
                >
                  {t('audience.save')}
                </Button>
              </Group>
            )}
          </>
        )}
      </Stack>
    </form>
  );
}
