import { Meeting, Problem, type WaitReason } from '@huitong/sdk';
import { Alert, Button, Card, Loader, PasswordInput, Stack, Text, TextInput, Title } from '@mantine/core';
import { type SubmitEvent, useEffect, useEffectEvent, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useAccount } from '../account';
import { DeviceChoice } from '../media/DeviceChoice';
import { LevelMeter } from '../media/LevelMeter';
import { Preview } from '../media/Preview';
import { useLocalMedia } from '../media/local';
import { inThrees } from '../numbers';
import { ByPhone } from '../parts/ByPhone';
import type { Entry } from '../parts/JoinForm';
import { Page } from '../parts/Page';
import { isElsewhere } from '../presence';
import { problemText } from '../problems';
import { forgetSeat, keptSeat } from '../resume';
import { useSettings } from '../settings';
import styles from './PreJoin.module.css';
import { useOpens } from './useOpens';

interface PreJoinProps {
  entry: Entry;
  /** Come in at once, as soon as the devices are open. */
  isDirect?: boolean;
  onShown: () => void;
  onJoined: (meeting: Meeting, entry: Entry) => void;
}

/** Refusals that another password answers. */
const WANTS_PASSWORD: ReadonlySet<string> = new Set(['password_needed', 'wrong_password']);

/** Whoever is too early is tried again so often, or the moment it opens where that is known. */
const TOO_EARLY_MS = 10_000;

/** How long until another try. */
const untilNext = (opensMs: number | null): number =>
  Math.min(TOO_EARLY_MS, Math.max(500, (opensMs ?? Infinity) - Date.now()));

/** J5: how one looks and sounds, with what, before anyone else sees or hears it. */
export function PreJoin({ entry, isDirect = false, onShown, onJoined }: PreJoinProps) {
  const { t, i18n } = useTranslation();
  const { microphoneOn, cameraOn, connectAudio, startMuted, cameraOff, remember } = useSettings();
  // 会议设置: what holds for every meeting goes before how the last one was left, and changes nothing of that.
  const [wanted, setWanted] = useState({
    microphone: microphoneOn && connectAudio,
    camera: cameraOn && !cameraOff,
  });
  const { microphone, open, close, settled } = useLocalMedia();
  const [name, setName] = useState(entry.name);
  const [password, setPassword] = useState(entry.password);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [waiting, setWaiting] = useState<WaitReason | 'start' | null>(null);
  const [told, setTold] = useState<string | null>(null);
  const [opensMs, setOpens] = useState<number | null>(null);
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

  const begin = useEffectEvent(() => onShown());
  useEffect(() => begin(), []);
  useEffect(() => {
    if (wanted.microphone) void open('microphone');
    else close('microphone');
  }, [wanted.microphone, open, close]);
  useEffect(() => {
    if (wanted.camera) void open('camera');
    else close('camera');
  }, [wanted.camera, open, close]);
  const choose = (device: 'microphone' | 'camera', on: boolean) => {
    setWanted(now => ({ ...now, [device]: on }));
    remember(device === 'microphone' ? { microphoneOn: on } : { cameraOn: on });
  };

  const join = async (isEarly = false) => {
    const called = name.trim();
    if (!called) return;
    if (called !== entry.name) remember({ name: called });
    setBusy(true);
    setProblem(null);
    setTold(null);
    const patience = new AbortController();
    giveUp.current = patience;
    try {
      await settled();
      const { microphone, camera } = useLocalMedia.getState();
      const seat = keptSeat(entry.door.id);
      const meeting = await Meeting.join({
        meeting: entry.door.id,
        name: called,
        password,
        resume: seat?.secret,
        tracks: { microphone, camera },
        // What the booking says of cameras; whoever would rather be seen switches his on.
        sendsCamera: ({ host_video: hosts, participant_video: others }, role) =>
          role === 'member' ? others : hosts,
        // On the seat one had one is as one was.
        muted: you => !microphone || (startMuted && you !== seat?.you),
        language: i18n.language,
        onWaiting: setWaiting,
        onTold: setTold,
        signal: patience.signal,
      });
      // On the seat one had one is still called as one was then.
      if (!isDirect && meeting.me?.name !== called) {
        meeting.rename(meeting.you, called).catch(() => undefined);
      }
      if (!meeting.track('camera')) close('camera');
      onJoined(meeting, { ...entry, name: called, password });
    } catch (thrown) {
      if (patience.signal.aborted) return;
      const refused = Problem.from(thrown);
      // Whoever waits goes on waiting while the line is cut.
      const isCut = isEarly && refused.isPassing;
      if (isCut || refused.code === 'not_yet') {
        setWaiting('start');
        if (!isCut) setOpens(refused.opensMs);
        again.current = setTimeout(() => void join(true), untilNext(refused.opensMs));
        return;
      }
      // Of a meeting that was ended: the next try is a new one's.
      if (refused.code === 'ended') forgetSeat(entry.door.id);
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
        <Preview wanted={wanted} onChoose={choose} />
        <Stack
          component="form"
          onSubmit={(event: SubmitEvent) => {
            event.preventDefault();
            if (!busy) void join();
          }}
        >
          <div>
            <Title order={1} fz={24} style={{ overflowWrap: 'anywhere' }}>
              <bdi>{entry.door.title}</bdi>
            </Title>
            <Text c="dimmed" mt={4}>
              {t('home.numberIs', { number: inThrees(entry.door.number) })}
            </Text>
          </div>
          <TextInput
            label={t('join.name')}
            autoComplete="name"
            maxLength={40}
            disabled={busy}
            value={name}
            onChange={event => setName(event.currentTarget.value)}
            data-testid="prejoin-name"
          />
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
            <Waiting reason={waiting} opensMs={opensMs} told={told} onGiveUp={stop} />
          ) : (
            <Button
              type="submit"
              size="md"
              loading={busy}
              disabled={!name.trim()}
              data-testid="prejoin-join"
              autoFocus
            >
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

interface WaitingProps {
  reason: WaitReason | 'start';
  /** Where one may know it. */
  opensMs: number | null;
  /** What a host has said to who waits. */
  told: string | null;
  onGiveUp: () => void;
}

/** At the door: for the host, to be let in, or for the time of the start. */
function Waiting({ reason, opensMs, told, onGiveUp }: WaitingProps) {
  const { t } = useTranslation();
  const opens = useOpens(reason === 'start' ? opensMs : null);
  // Who is logged in may be the one to start it.
  const isGuest = useAccount(state => !state.account);
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
          {reason === 'start' && isGuest ? t('prejoin.guestTitle') : t(`prejoin.${reason}Title`)}
        </Text>
        {opens && (
          <Text ta="center" style={{ fontVariantNumeric: 'tabular-nums' }} data-testid="prejoin-opens">
            {opens}
          </Text>
        )}
        <Text fz="sm" c="dimmed" ta="center">
          {t(`prejoin.${reason}Text`)}
        </Text>
        {told && (
          <div data-testid="prejoin-told">
            <Text fz="sm" c="dimmed" ta="center">
              {t('prejoin.hostSays')}
            </Text>
            <Text ta="center" style={{ overflowWrap: 'anywhere', whiteSpace: 'pre-line' }}>
              <bdi>{told}</bdi>
            </Text>
          </div>
        )}
        <Button variant="default" size="sm" onClick={onGiveUp} data-testid="prejoin-give-up">
          {t('prejoin.giveUp')}
        </Button>
      </Stack>
    </Card>
  );
}
