import type { EncoderToken, NewEncoderToken } from '@huitong/sdk';
import { Alert, Button, Group, Loader, Stack, Text, TextInput } from '@mantine/core';
import { type SubmitEvent, useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { problemText } from '../problems';
import { rest } from '../rest';
import { CopyField } from './CopyField';
import { Sheet } from './Sheet';

interface EncoderProps {
  meeting: { id: string } | null;
  onClose: () => void;
}

/** 编码器入会: the address and the key by which OBS or a hardware encoder comes into a meeting (B9). */
export function Encoder({ meeting, onClose }: EncoderProps) {
  const { t } = useTranslation();
  return (
    <Sheet opened={meeting !== null} onClose={onClose} title={t('encoder.title')}>
      {meeting && <Settings key={meeting.id} id={meeting.id} />}
    </Sheet>
  );
}

function Settings({ id }: { id: string }) {
  const { t } = useTranslation();
  const [known, setKnown] = useState<EncoderToken | NewEncoderToken | null>();
  const [name, setName] = useState('');
  const [problem, setProblem] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);

  useEffect(() => {
    let isCurrent = true;
    const take = (found: EncoderToken | null) => {
      if (!isCurrent) return;
      setKnown(found);
      setName(found?.name ?? '');
    };
    rest.encoderToken(id).then(take, (thrown: unknown) => {
      if (isCurrent) setProblem(thrown);
    });
    return () => {
      isCurrent = false;
    };
  }, [id]);

  const attempt = async (act: () => Promise<NewEncoderToken | null>) => {
    setBusy(true);
    setProblem(null);
    try {
      setKnown(await act());
    } catch (thrown) {
      setProblem(thrown);
    } finally {
      setBusy(false);
    }
  };
  const make = (event: SubmitEvent) => {
    event.preventDefault();
    void attempt(() => rest.newEncoderToken(id, name.trim()));
  };
  const revoke = () =>
    attempt(async () => {
      await rest.revokeEncoderToken(id);
      return null;
    });

  const token = known && 'token' in known ? known.token : null;
  return (
    <form onSubmit={make}>
      <Stack gap="md">
        <Text fz="sm" c="dimmed">
          {t('encoder.hint')}
        </Text>
        {problem !== null && (
          <Alert color="red" variant="light" data-testid="encoder-problem">
            {problemText(t, problem)}
          </Alert>
        )}
        {known === undefined && problem === null && <Loader size="sm" mx="auto" />}
        {known && <CopyField label={t('encoder.address')} value={known.url} data-testid="encoder-address" />}
        {known?.rtmp && (
          <CopyField
            label={t('encoder.rtmp')}
            description={t('encoder.rtmpHint')}
            value={known.rtmp}
            data-testid="encoder-rtmp"
          />
        )}
        {token && (
          <CopyField
            label={t('encoder.token')}
            description={t('encoder.tokenOnce')}
            value={token}
            data-testid="encoder-token"
          />
        )}
        {known !== undefined && (
          <>
            <TextInput
              label={t('encoder.name')}
              description={t('encoder.nameHint')}
              autoComplete="off"
              maxLength={40}
              value={name}
              onChange={event => setName(event.currentTarget.value)}
              data-testid="encoder-name"
            />
            <Group justify="space-between">
              {known ? (
                <Button
                  variant="subtle"
                  color="red"
                  onClick={() => void revoke()}
                  disabled={busy}
                  data-testid="encoder-revoke"
                >
                  {t('encoder.revoke')}
                </Button>
              ) : (
                <span />
              )}
              <Button
                type="submit"
                variant={known ? 'default' : 'filled'}
                loading={busy}
                disabled={!name.trim()}
                data-testid="encoder-make"
              >
                {t(known ? 'encoder.anew' : 'encoder.make')}
              </Button>
            </Group>
            {known && (
              <Text fz="xs" c="dimmed">
                {t('encoder.anewHint')}
              </Text>
            )}
          </>
        )}
      </Stack>
    </form>
  );
}
