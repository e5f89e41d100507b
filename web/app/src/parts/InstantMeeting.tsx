import type { Account, OwnMeeting } from '@huitong/sdk';
import { Alert, Button, NumberInput, Stack, TextInput } from '@mantine/core';
import { type SubmitEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Durations } from '../booking/Durations';
import { defaultTitle } from '../booking/draft';
import { Rooms } from '../booking/Rooms';
import { useCapacity } from '../booking/useCapacity';
import { problemText } from '../problems';
import { rest } from '../rest';

interface InstantMeetingProps {
  account: Account;
  onStart: (meeting: OwnMeeting) => void;
}

/** What a concurrent account's meeting takes where there is more. */
const PLACES = 10;

/** 即时会议: a topic, what the account's mode needs, and one is in. */
export function InstantMeeting({ account, onStart }: InstantMeetingProps) {
  const { t } = useTranslation();
  const { mode } = account;
  const [title, setTitle] = useState(defaultTitle(t, account.display_name));
  const [password, setPassword] = useState('');
  const [duration, setDuration] = useState(60);
  const [room, setRoom] = useState('');
  const [wanted, setWanted] = useState<number | null>(null);
  const [now] = useState(() => new Date());
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<unknown>(null);
  const known = useCapacity(mode === 'dedicated' ? null : now, duration, 0);
  const free = known.capacity;
  const places = wanted ?? Math.min(PLACES, free?.ports_free ?? PLACES);
  const isBad = password !== '' && !/^\d{4,10}$/.test(password);

  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    try {
      const meeting = await rest.createMeeting({
        title: title.trim(),
        ...(password && { password }),
        ...(mode !== 'dedicated' && { duration }),
        ...(mode === 'shared' && { room }),
        ...(mode === 'concurrent' && { capacity: places }),
      });
      onStart(meeting);
    } catch (thrown) {
      setProblem(thrown);
      setBusy(false);
    }
  };

  return (
    <form onSubmit={event => void submit(event)}>
      <Stack>
        <TextInput
          label={t('instant.title')}
          required
          withAsterisk={false}
          maxLength={80}
          value={title}
          onChange={event => setTitle(event.currentTarget.value)}
          data-testid="instant-title"
        />
        <TextInput
          label={t('instant.password')}
          placeholder={t('book.passwordHint')}
          inputMode="numeric"
          maxLength={10}
          autoComplete="off"
          error={isBad && password.length > 3 ? t('instant.passwordBad') : undefined}
          value={password}
          onChange={event => setPassword(event.currentTarget.value)}
          data-testid="instant-password"
        />
        {mode !== 'dedicated' && <Durations value={duration} onChange={setDuration} />}
        {mode === 'shared' && <Rooms known={known} value={room} onChange={setRoom} />}
        {mode === 'concurrent' && (
          <NumberInput
            label={t('book.capacity')}
            description={free && t('book.portsFree', { count: free.ports_free })}
            min={2}
            max={500}
            allowDecimal={false}
            value={places}
            onChange={value => setWanted(Number(value) || 0)}
            data-testid="instant-capacity"
          />
        )}
        {problem !== null && (
          <Alert color="red" variant="light" data-testid="instant-problem">
            {problemText(t, problem)}
          </Alert>
        )}
        <Button
          type="submit"
          loading={busy}
          disabled={isBad || !title.trim() || (mode === 'shared' && !room)}
          data-testid="instant-start"
        >
          {t('instant.start')}
        </Button>
      </Stack>
    </form>
  );
}
