import type { Account, OwnMeeting } from '@huitong/sdk';
import {
  Alert,
  Button,
  Card,
  Checkbox,
  Group,
  Loader,
  NativeSelect,
  NumberInput,
  SimpleGrid,
  Stack,
  Text,
  TextInput,
  Title,
} from '@mantine/core';
import { CalendarSearch } from 'lucide-react';
import { type SubmitEvent, useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link, Navigate, useNavigate, useParams } from 'react-router';
import { useAccount } from '../account';
import { Durations } from '../booking/Durations';
import { FreeSlots } from '../booking/FreeSlots';
import { Repeat } from '../booking/Repeat';
import { Rooms } from '../booking/Rooms';
import { type Draft, OPTIONS, bodyOf, defaultTitle, draftOf, newDraft, startOf } from '../booking/draft';
import { dayOf } from '../booking/recurrence';
import { useCapacity } from '../booking/useCapacity';
import { Page } from '../parts/Page';
import { problemText } from '../problems';
import { rest } from '../rest';

/** `/book` and `/meetings/{id}`: a booking is written, or written anew (S1 to S5). */
export function BookPage() {
  const { t } = useTranslation();
  const account = useAccount(state => state.account);
  const { id } = useParams();
  const [meeting, setMeeting] = useState<OwnMeeting | null>(null);
  const [problem, setProblem] = useState<unknown>(null);

  useEffect(() => {
    if (id) rest.meeting(id).then(setMeeting, setProblem);
  }, [id]);

  if (account === undefined) return null;
  if (account === null) return <Navigate to="/" replace />;
  return (
    <Page title={t(id ? 'book.edit' : 'book.title')} width={720}>
      <Title order={1} fz={24} mb="lg">
        {id ? t('book.edit') : t('book.title')}
      </Title>
      {problem !== null && (
        <Alert color="red" variant="light">
          {problemText(t, problem)}
        </Alert>
      )}
      {id && !meeting && problem === null && <Loader size="sm" />}
      {(!id || meeting) && <Form key={id ?? 'new'} account={account} kept={meeting ?? undefined} />}
    </Page>
  );
}

function Form({ account, kept }: { account: Account; kept: OwnMeeting | undefined }) {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const mode = kept?.mode ?? account.mode;
  const [draft, setDraft] = useState<Draft>(() =>
    kept ? draftOf(kept) : newDraft(defaultTitle(t, account.display_name), new Date()),
  );
  const [isPicking, setPicking] = useState(false);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<unknown>(null);
  const change = (changes: Partial<Draft>) => setDraft(now => ({ ...now, ...changes }));
  const start = startOf(draft);
  const needsPorts = mode !== 'dedicated';
  const known = useCapacity(needsPorts ? start : null, draft.duration, draft.earlyStart);
  // 共享账号编辑界面不可以修改会议开始时间和时长.
  const isFixed = kept !== undefined && needsPorts;
  const isReady = draft.title.trim() && (kept?.personal || start) && (mode !== 'shared' || draft.room);

  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    try {
      const body = bodyOf(draft, mode, kept);
      const booked = kept ? await rest.changeMeeting(kept.id, body) : await rest.createMeeting(body);
      await navigate('/', { state: { invite: kept ? null : booked } });
    } catch (thrown) {
      setProblem(thrown);
      setBusy(false);
    }
  };
  return (
    <form onSubmit={event => void submit(event)}>
      <Card withBorder radius="lg" padding="lg">
        <Stack>
          <TextInput
            label={t('instant.title')}
            maxLength={80}
            value={draft.title}
            onChange={event => change({ title: event.currentTarget.value })}
            data-testid="book-title"
          />
          {!kept?.personal && (
            <>
              <SimpleGrid cols={{ base: 2, xs: 3 }} spacing="sm">
                <TextInput
                  type="date"
                  label={t('book.day')}
                  min={dayOf(new Date())}
                  disabled={isFixed}
                  value={draft.day}
                  onChange={event => change({ day: event.currentTarget.value })}
                  data-testid="book-day"
                />
                <TextInput
                  type="time"
                  label={t('book.time')}
                  disabled={isFixed}
                  value={draft.time}
                  onChange={event => change({ time: event.currentTarget.value })}
                  data-testid="book-time"
                />
                <Durations
                  value={draft.duration}
                  disabled={isFixed}
                  onChange={duration => change({ duration })}
                />
              </SimpleGrid>
              {needsPorts && !isFixed && (
                <Button
                  variant="light"
                  size="xs"
                  leftSection={<CalendarSearch size={15} />}
                  style={{ alignSelf: 'flex-start' }}
                  onClick={() => setPicking(true)}
                  data-testid="book-slots"
                >
                  {t('book.slots')}
                </Button>
              )}
              <Repeat
                value={draft.recurrence}
                start={start}
                onChange={recurrence => change({ recurrence })}
              />
            </>
          )}
          {needsPorts && (
            <NativeSelect
              label={t('book.earlyStart')}
              value={draft.earlyStart}
              onChange={event => change({ earlyStart: Number(event.currentTarget.value) })}
              data={[0, 30, 60].map(minutes => ({
                value: `${minutes}`,
                label: minutes === 0 ? t('book.notEarly') : t('book.minutes', { count: minutes }),
              }))}
              data-testid="book-early"
            />
          )}
          {mode === 'shared' && (
            <Rooms known={known} value={draft.room} onChange={room => change({ room })} />
          )}
          {mode === 'concurrent' && (
            <NumberInput
              label={t('book.capacity')}
              description={known.capacity && t('book.portsFree', { count: known.capacity.ports_free })}
              min={2}
              max={500}
              allowDecimal={false}
              value={draft.capacity}
              onChange={value => change({ capacity: Number(value) || 0 })}
              data-testid="book-capacity"
            />
          )}
          <TextInput
            label={t('instant.password')}
            placeholder={t('book.passwordHint')}
            inputMode="numeric"
            maxLength={10}
            autoComplete="off"
            value={draft.password}
            onChange={event => change({ password: event.currentTarget.value })}
            data-testid="book-password"
          />
          <fieldset style={{ border: 0, margin: 0, padding: 0 }}>
            <Text component="legend" fz="sm" fw={600} mb={8} p={0}>
              {t('book.options')}
            </Text>
            <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="xs">
              {/* What the site has not is not offered; what was agreed on before can be taken back. */}
              {OPTIONS.filter(
                option => option !== 'livestream' || account.livestream || kept?.options.livestream,
              ).map(option => (
                <Checkbox
                  key={option}
                  label={t(`book.${option}`)}
                  checked={draft.options[option]}
                  onChange={event =>
                    change({ options: { ...draft.options, [option]: event.currentTarget.checked } })
                  }
                  data-testid={`option-${option}`}
                />
              ))}
            </SimpleGrid>
          </fieldset>
          {problem !== null && (
            <Alert color="red" variant="light" data-testid="book-problem">
              {problemText(t, problem)}
            </Alert>
          )}
          <Group justify="flex-end">
            <Button component={Link} to="/" variant="default">
              {t('polls.cancel')}
            </Button>
            <Button type="submit" loading={busy} disabled={!isReady} data-testid="book-submit">
              {kept ? t('meeting.save') : t('book.submit')}
            </Button>
          </Group>
        </Stack>
      </Card>
      <FreeSlots
        draft={draft}
        opened={isPicking}
        onClose={() => setPicking(false)}
        onChosen={changes => {
          setPicking(false);
          change(changes);
        }}
      />
    </form>
  );
}
