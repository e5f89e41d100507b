import { type Dial, Problem } from '@huitong/sdk';
import { Alert, Badge, Button, CloseButton, Group, Stack, Text, TextInput } from '@mantine/core';
import { PhoneCall } from 'lucide-react';
import { type SubmitEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useInfo } from '../info';
import { problemText } from '../problems';
import { attempt } from './controls';
import { useMeeting, useMeetingState } from './useMeeting';
import { Written } from '../parts/Written';

const COLOURS: Record<Dial['state'], string> = {
  calling: 'blue',
  ringing: 'blue',
  answered: 'blue',
  joined: 'teal',
  busy: 'yellow',
  no_answer: 'yellow',
  declined: 'yellow',
  no_such_number: 'red',
  failed: 'red',
  stopped: 'gray',
};

/** Ends that another try may not meet. */
const AGAIN: ReadonlySet<Dial['state']> = new Set(['busy', 'no_answer', 'declined', 'failed', 'stopped']);

/** Nothing more follows. */
const isOver = ({ state }: Dial): boolean => !['calling', 'ringing', 'answered'].includes(state);

/** Who didn't come, and hasn't been called again since. */
const mayRedial = (dial: Dial, dials: readonly Dial[]): boolean =>
  AGAIN.has(dial.state) &&
  !dials.some(({ id, name, number }) => id > dial.id && name === dial.name && number === dial.number);

/** What is said of telephones' numbers says nothing of a room system's. */
const isNoRoom = (to: CallPhoneProps['to'], problem: unknown): boolean =>
  to === 'room' && ['bad_number', 'number_not_allowed'].includes(Problem.from(problem).code);

interface CallPhoneProps {
  /** A telephone anywhere, or a room system that is registered here: by its extension. */
  to: 'phone' | 'room';
}

/** 会中邀请 by telephone or of 硬件 (C22): a number, and what becomes of it while one looks. */
export function CallPhone({ to }: CallPhoneProps) {
  const { t } = useTranslation();
  const meeting = useMeeting();
  const dials = useMeetingState(state => state.dials);
  const [number, setNumber] = useState('');
  const [name, setName] = useState('');
  const [problem, setProblem] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const info = useInfo();

  const call = async (event: SubmitEvent) => {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    try {
      await meeting.dial(number, name.trim() || null);
      setNumber('');
      setName('');
    } catch (thrown) {
      // What was typed stays, to be mended.
      setProblem(thrown);
    } finally {
      setBusy(false);
    }
  };

  return (
    <Stack gap={dials.length > 0 ? 'md' : 0}>
      <form onSubmit={event => void call(event)}>
        <Stack gap="sm">
          <TextInput
            type={to === 'room' ? 'text' : 'tel'}
            inputMode={to === 'room' ? 'email' : 'tel'}
            label={t(to === 'room' ? 'call.extension' : 'call.number')}
            description={to === 'room' && t('call.extensionHint', { host: info?.sip.host ?? '' })}
            placeholder={to === 'room' ? '8001' : '138 1234 5678'}
            autoComplete="off"
            required
            withAsterisk={false}
            value={number}
            onChange={event => setNumber(event.currentTarget.value)}
            data-testid="call-number"
          />
          <TextInput
            label={t('call.name')}
            description={t(to === 'room' ? 'call.roomNameHint' : 'call.nameHint')}
            autoComplete="off"
            maxLength={40}
            value={name}
            onChange={event => setName(event.currentTarget.value)}
            data-testid="call-name"
          />
          {problem !== null && (
            <Alert color="red" variant="light" data-testid="call-problem">
              {isNoRoom(to, problem)
                ? t('call.noSuchRoom', { host: info?.sip.host ?? '' })
                : problemText(t, problem)}
            </Alert>
          )}
          <Group justify="flex-end">
            <Button
              type="submit"
              loading={busy}
              disabled={!number.trim()}
              leftSection={<PhoneCall size={16} />}
              data-testid="call-submit"
            >
              {t('call.submit')}
            </Button>
          </Group>
        </Stack>
      </form>
      <Stack gap={6} role="status" aria-live="polite">
        {dials.toReversed().map(dial => (
          <Group key={dial.id} gap="sm" wrap="nowrap" mih={34} data-testid="dial" data-state={dial.state}>
            <div style={{ flex: 1, minWidth: 0 }}>
              <Text fz="sm" truncate>
                <Written text={dial.name} />
              </Text>
              {dial.name !== dial.number && (
                <Text fz="xs" c="dimmed">
                  {dial.number}
                </Text>
              )}
            </div>
            <Badge color={COLOURS[dial.state]} variant="light" style={{ flexShrink: 0 }}>
              {t(`call.${dial.state}`)}
            </Badge>
            {mayRedial(dial, dials) && (
              <Button
                size="compact-sm"
                variant="light"
                leftSection={<PhoneCall size={14} />}
                onClick={() => void attempt(() => meeting.redial(dial.id))}
                data-testid="dial-again"
              >
                {t('call.again')}
              </Button>
            )}
            {!isOver(dial) && (
              <CloseButton
                aria-label={t('call.stop')}
                onClick={() => void attempt(() => meeting.stopDial(dial.id))}
                data-testid="dial-stop"
              />
            )}
          </Group>
        ))}
      </Stack>
    </Stack>
  );
}
