import { Meeting, Problem, type WaitReason } from '@huitong/sdk';
import { Alert, Button, PasswordInput, Stack, Text, Title } from '@mantine/core';
import { useEffect, useEffectEvent, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { DeviceChoice } from '../media/DeviceChoice';
import { LevelMeter } from '../media/LevelMeter';
import { Preview } from '../media/Preview';
import { useLocalMedia } from '../media/local';
import { inThrees } from '../numbers';
import type { Entry } from '../parts/JoinForm';
import { Page } from '../parts/Page';
import { problemText } from '../problems';
import { keptResume } from '../resume';
import { useSettings } from '../settings';
import styles from './PreJoin.module.css';

interface PreJoinProps {
  entry: Entry;
  onShown: () => void;
  onJoined: (meeting: Meeting, entry: Entry) => void;
}

/** Refusals that another password answers. */
const WANTS_PASSWORD: ReadonlySet<string> = new Set(['password_needed', 'wrong_password']);

/** J5: how one looks and sounds, with what, before anyone else sees or hears it. */
export function PreJoin({ entry, onShown, onJoined }: PreJoinProps) {
  const { t, i18n } = useTranslation();
  const { microphoneOn, cameraOn } = useSettings();
  const { microphone, open, close, settled } = useLocalMedia();
  const [password, setPassword] = useState(entry.password);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [waiting, setWaiting] = useState<WaitReason | null>(null);
  const giveUp = useRef<AbortController | null>(null);

  useEffect(() => () => giveUp.current?.abort(), []);

  const shown = useEffectEvent(onShown);
  useEffect(() => shown(), []);
  useEffect(() => {
    if (microphoneOn) void open('microphone');
    else close('microphone');
  }, [microphoneOn, open, close]);
  useEffect(() => {
    if (cameraOn) void open('camera');
    else close('camera');
  }, [cameraOn, open, close]);

  const join = async () => {
    setBusy(true);
    setProblem(null);
    const patience = new AbortController();
    giveUp.current = patience;
    try {
      await settled();
      const { microphone, camera } = useLocalMedia.getState();
      const meeting = await Meeting.join({
        meeting: entry.door.id,
        name: entry.name,
        password,
        resume: keptResume(entry.door.id),
        tracks: { microphone, camera },
        muted: !microphone,
        language: i18n.language,
        onWaiting: setWaiting,
        signal: patience.signal,
      });
      onJoined(meeting, { ...entry, password });
    } catch (thrown) {
      if (!patience.signal.aborted) setProblem(Problem.from(thrown));
      setWaiting(null);
      setBusy(false);
    }
  };

  return (
    <Page width={960}>
      <div className={styles.columns}>
        <Preview />
        <Stack component="section">
          <div>
            <Title order={1} fz={24}>
              {entry.door.title}
            </Title>
            <Text c="dimmed" mt={4}>
              {t('home.numberIs', { number: inThrees(entry.door.number) })} ·{' '}
              {t('prejoin.as', { name: entry.name })}
            </Text>
          </div>
          {problem && WANTS_PASSWORD.has(problem.code) && (
            <PasswordInput
              label={t('join.password')}
              inputMode="numeric"
              autoComplete="off"
              value={password ?? ''}
              onChange={event => setPassword(event.currentTarget.value)}
              data-testid="join-password"
            />
          )}
          {problem && (
            <Alert color="red" variant="light" data-testid="prejoin-problem" data-code={problem.code}>
              {problemText(t, problem)}
            </Alert>
          )}
          <Button size="md" loading={busy} onClick={() => void join()} data-testid="prejoin-join" autoFocus>
            {t('prejoin.join')}
          </Button>
          {waiting && (
            <Alert variant="light" data-testid="prejoin-waiting" data-reason={waiting}>
              <Text fz="sm">{waiting === 'host' ? t('prejoin.waitHost') : t('prejoin.waitAdmission')}</Text>
              <Button
                mt="xs"
                size="compact-sm"
                variant="subtle"
                onClick={() => giveUp.current?.abort()}
                data-testid="prejoin-give-up"
              >
                {t('prejoin.giveUp')}
              </Button>
            </Alert>
          )}
          <LevelMeter track={microphone} />
          <DeviceChoice />
        </Stack>
      </div>
    </Page>
  );
}
