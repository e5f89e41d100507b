import { Meeting, Problem, type WaitReason } from '@huitong/sdk';
import { Alert, Button, Card, Loader, PasswordInput, Popover, Stack, Text, Title } from '@mantine/core';
import { Phone } from 'lucide-react';
import { useEffect, useEffectEvent, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useInfo } from '../info';
import { DeviceChoice } from '../media/DeviceChoice';
import { LevelMeter } from '../media/LevelMeter';
import { Preview } from '../media/Preview';
import { useLocalMedia } from '../media/local';
import { DialNumbers } from '../meeting/DialIn';
import { inThrees } from '../numbers';
import type { Entry } from '../parts/JoinForm';
import { Page } from '../parts/Page';
import { isElsewhere } from '../presence';
import { problemText } from '../problems';
import { keptResume } from '../resume';
import { useSettings } from '../settings';
import styles from './PreJoin.module.css';

interface PreJoinProps {
  entry: Entry;
  /** Come in at once, as soon as the devices are open. */
  isDirect?: boolean;
  onShown: () => void;
  onJoined: (meeting: Meeting, entry: Entry) => void;
}

/** Refusals that another password answers. */
const WANTS_PASSWORD: ReadonlySet<string> = new Set(['password_needed', 'wrong_password']);

/** Whoever is too early is tried again so often: the start is not known here. */
const TOO_EARLY_MS = 10_000;

/** J5: how one looks and sounds, with what, before anyone else sees or hears it. */
export function PreJoin({ entry, isDirect = false, onShown, onJoined }: PreJoinProps) {
  const { t, i18n } = useTranslation();
  const { microphoneOn, cameraOn, connectAudio, startMuted, cameraOff, remember } = useSettings();
  const { microphone, open, close, settled } = useLocalMedia();
  const [password, setPassword] = useState(entry.password);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [waiting, setWaiting] = useState<WaitReason | 'start' | null>(null);
  const isAlsoIn = useElsewhere(entry.door.id);
  const giveUp = useRef<AbortController | null>(null);
  const again = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);

  const stop = () => {
    clearTimeout(again.current);
    giveUp.current?.abort();
    setWaiting(null);
    setBusy(false);
  };
  const stopped = useEffectEvent(() => {
    clearTimeout(again.current);
    giveUp.current?.abort();
  });
  useEffect(() => () => stopped(), []);

  const begin = useEffectEvent(() => {
    onShown();
    // 会议设置: what holds for every meeting goes before how the last one was left.
    remember({ ...(!connectAudio && { microphoneOn: false }), ...(cameraOff && { cameraOn: false }) });
  });
  useEffect(() => begin(), []);
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
      const resume = keptResume(entry.door.id);
      const meeting = await Meeting.join({
        meeting: entry.door.id,
        name: entry.name,
        password,
        resume,
        tracks: { microphone, camera },
        muted: !microphone || (startMuted && !resume),
        language: i18n.language,
        onWaiting: setWaiting,
        signal: patience.signal,
      });
      const { host_video: hosts, participant_video: others } = meeting.state.meeting;
      if (!(meeting.me?.role === 'member' ? others : hosts)) close('camera');
      onJoined(meeting, { ...entry, password });
    } catch (thrown) {
      if (patience.signal.aborted) return;
      const refused = Problem.from(thrown);
      if (refused.code === 'not_yet') {
        setWaiting('start');
        again.current = setTimeout(() => void join(), TOO_EARLY_MS);
        return;
      }
      setProblem(refused);
      setWaiting(null);
      setBusy(false);
    }
  };

  const beginDirectly = useEffectEvent(() => {
    if (isDirect) void join();
  });
  // After what opens the devices.
  useEffect(() => beginDirectly(), []);

  return (
    <Page title={entry.door.title} width={960}>
      <div className={styles.columns}>
        <Preview />
        <Stack component="section">
          <div>
            <Title order={1} fz={24} style={{ overflowWrap: 'anywhere' }}>
              <bdi>{entry.door.title}</bdi>
            </Title>
            <Text c="dimmed" mt={4}>
              {t('home.numberIs', { number: inThrees(entry.door.number) })} ·{' '}
              {t('prejoin.as', { name: entry.name })}
            </Text>
          </div>
          {isAlsoIn && (
            <Alert color="yellow" variant="light" data-testid="prejoin-elsewhere">
              {t('prejoin.elsewhere')}
            </Alert>
          )}
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
          {waiting ? (
            <Waiting reason={waiting} onGiveUp={stop} />
          ) : (
            <Button size="md" loading={busy} onClick={() => void join()} data-testid="prejoin-join" autoFocus>
              {t('prejoin.join')}
            </Button>
          )}
          <LevelMeter track={microphone} />
          <DeviceChoice />
          <ByPhone number={entry.door.number} password={password} />
        </Stack>
      </div>
    </Page>
  );
}

/** Whether another tab of this browser is in the meeting already. */
function useElsewhere(meeting: string): boolean {
  const [isIn, setIn] = useState(false);
  useEffect(() => {
    let isWanted = true;
    void isElsewhere(meeting).then(found => isWanted && setIn(found));
    return () => {
      isWanted = false;
    };
  }, [meeting]);
  return isIn;
}

/** At the door: for the host, to be let in, or for the time of the start. */
function Waiting({ reason, onGiveUp }: { reason: WaitReason | 'start'; onGiveUp: () => void }) {
  const { t } = useTranslation();
  return (
    <Card
      withBorder
      radius="lg"
      padding="lg"
      role="status"
      data-testid="prejoin-waiting"
      data-reason={reason}
    >
      <Stack align="center" gap="sm">
        <Loader size="sm" type="dots" />
        <Text fw={600} ta="center">
          {t(`prejoin.${reason}Title`)}
        </Text>
        <Text fz="sm" c="dimmed" ta="center">
          {t(`prejoin.${reason}Text`)}
        </Text>
        <Button variant="default" size="sm" onClick={onGiveUp} data-testid="prejoin-give-up">
          {t('prejoin.giveUp')}
        </Button>
      </Stack>
    </Card>
  );
}

/** 电话入会, one click away. */
function ByPhone({ number, password }: { number: string; password: string | undefined }) {
  const { t } = useTranslation();
  const info = useInfo();
  return (
    <Popover position="top-start" width={330} shadow="md" withArrow trapFocus returnFocus>
      <Popover.Target>
        <Button
          variant="subtle"
          size="compact-sm"
          leftSection={<Phone size={15} />}
          style={{ alignSelf: 'flex-start' }}
          data-testid="prejoin-phone"
        >
          {t('meeting.byPhone')}
        </Button>
      </Popover.Target>
      <Popover.Dropdown>
        <Stack gap="xs" data-testid="dial-in-info">
          <DialNumbers info={info} number={number} password={password} />
        </Stack>
      </Popover.Dropdown>
    </Popover>
  );
}
