import type { Account, MeetingOptions, OwnMeeting } from '@huitong/sdk';
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
import { DayField } from '../booking/DayField';
import { Durations } from '../booking/Durations';
import { FreeSlots } from '../booking/FreeSlots';
import { Repeat } from '../booking/Repeat';
import { Rooms } from '../booking/Rooms';
import { TimeField } from '../booking/TimeField';
import {
  type Draft,
  type Kept,
  OPTIONS,
  bodyOf,
  defaultTitle,
  freeFor,
  keptOf,
  movedTo,
  newDraft,
  occurrenceBodyOf,
  startOf,
  withOption,
} from '../booking/draft';
import { useCapacity } from '../booking/useCapacity';
import { ZoneLine } from '../booking/ZoneLine';
import { dayIn } from '../booking/zone';
import { Page } from '../parts/Page';
import { problemText } from '../problems';
import { rest } from '../rest';

/** `/book`, `/meetings/{id}` and `/meetings/{id}/{occurrence}`: a booking, or one time of a series, is written or written anew (S1 to S5). */
export function BookPage() {
  const { t } = useTranslation();
  const account = useAccount(state => state.account);
  const { id, occurrence } = useParams();
  const [kept, setKept] = useState<Kept | null>(null);
  const [problem, setProblem] = useState<unknown>(null);

  useEffect(() => {
    if (!id) return;
    const read = async () => {
      if (occurrence) return keptOf(await rest.occurrence(id, occurrence), [], new Date());
      const [meeting, held] = await Promise.all([rest.meeting(id), rest.occurrences(id)]);
      return keptOf(meeting, held, new Date());
    };
    read().then(setKept, setProblem);
  }, [id, occurrence]);

  if (account === undefined) return null;
  if (account === null) return <Navigate to="/" replace />;
  const title = t(!id ? 'book.title' : occurrence ? 'book.editOne' : 'book.edit');
  return (
    <Page title={title} width={720}>
      <Title order={1} fz={24} mb={occurrence ? 4 : 'lg'}>
        {title}
      </Title>
      {occurrence && (
        <Text c="dimmed" fz="sm" mb="lg">
          {t('book.onlyThis')}
        </Text>
      )}
      {problem !== null && (
        <Alert color="red" variant="light">
          {problemText(t, problem)}
        </Alert>
      )}
      {id && !kept && problem === null && <Loader size="sm" />}
      {(!id || kept) && (
        <Form key={id ?? 'new'} account={account} begun={kept ?? undefined} occurrence={occurrence} />
      )}
    </Page>
  );
}

interface FormProps {
  account: Account;
  /** What is written anew. */
  begun: Kept | undefined;
  /** Only this time of a series. */
  occurrence: string | undefined;
}

function Form({ account, begun, occurrence }: FormProps) {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const kept = begun?.meeting;
  const mode = kept?.mode ?? account.mode;
  const [draft, setDraft] = useState<Draft>(
    () => begun?.draft ?? newDraft(defaultTitle(t, account.display_name), new Date()),
  );
  const [isPicking, setPicking] = useState(false);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<unknown>(null);
  const change = (changes: Partial<Draft>) => setDraft(now => ({ ...now, ...changes }));
  const start = startOf(draft);
  const needsPorts = mode !== 'dedicated';
  const asked = useCapacity(needsPorts ? start : null, draft.duration, draft.earlyStart);
  const known = { ...asked, capacity: asked.capacity && freeFor(asked.capacity, draft, begun) };
  // 共享账号编辑界面不可以修改会议开始时间和时长.
  const isFixed = kept !== undefined && needsPorts;
  // One time of a series can be moved, where there is room for it then.
  const isStartFixed = isFixed && !occurrence;
  const isReady = draft.title.trim() && (kept?.personal || start) && (mode !== 'shared' || draft.room);

  // What the site has not is not offered; what was agreed on before can be taken back. A webinar is all of a series.
  const hasLivestream = account.livestream || kept?.options.livestream;
  const isOffered = (option: (typeof OPTIONS)[number]) =>
    option === 'webinar' ? hasLivestream && !occurrence : option !== 'livestream' || hasLivestream;
  const choose = (option: keyof MeetingOptions, on: boolean) =>
    change({ options: withOption(draft.options, option, on) });

  /** Whoever books is shown whom to invite. */
  const save = async (): Promise<OwnMeeting | null> => {
    if (!kept) return rest.createMeeting(bodyOf(draft, mode));
    if (occurrence) await rest.changeOccurrence(kept.id, occurrence, occurrenceBodyOf(draft, mode));
    else await rest.changeMeeting(kept.id, bodyOf(draft, mode, begun));
    return null;
  };
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    try {
      const invite = await save();
      await navigate('/', { state: { invite } });
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
                <DayField
                  label={t('book.day')}
                  min={dayIn(draft.zone, new Date())}
                  disabled={isStartFixed}
                  value={draft.day}
                  onChange={day => change(movedTo(day, draft))}
                  testid="book-day"
                />
                <TimeField
                  label={t('book.time')}
                  disabled={isStartFixed}
                  value={draft.time}
                  onChange={time => change({ time })}
                  testid="book-time"
                />
                <Durations
                  value={draft.duration}
                  disabled={isFixed}
                  onChange={duration => change({ duration })}
                />
              </SimpleGrid>
              <ZoneLine zone={draft.zone} start={start} />
              {needsPorts && !isStartFixed && (
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
              {!occurrence && (
                <Repeat
                  value={draft.recurrence}
                  day={draft.day}
                  onChange={recurrence => change({ recurrence })}
                />
              )}
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
              {OPTIONS.filter(isOffered).map(option => (
                <Checkbox
                  key={option}
                  label={t(`book.${option}`)}
                  checked={draft.options[option]}
                  onChange={event => choose(option, event.currentTarget.checked)}
                  data-testid={`option-${option}`}
                />
              ))}
            </SimpleGrid>
            {draft.options.webinar && !occurrence && (
              <Stack gap="xs" mt="sm">
                <Text fz="sm" c="dimmed" data-testid="book-webinar">
                  {t('book.webinarHint')}
                </Text>
                <Checkbox
                  label={t('book.approval')}
                  checked={draft.options.approval}
                  onChange={event => choose('approval', event.currentTarget.checked)}
                  data-testid="option-approval"
                />
              </Stack>
            )}
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
          change({ ...changes, ...(changes.day && movedTo(changes.day, draft)) });
        }}
      />
    </form>
  );
}
