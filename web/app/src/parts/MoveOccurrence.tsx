import type { OwnMeeting } from '@huitong/sdk';
import { Alert, Button, Group, Stack, TextInput } from '@mantine/core';
import { type SubmitEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { dayOf, timeOf } from '../booking/recurrence';
import { problemText } from '../problems';
import { rest } from '../rest';
import { Sheet } from './Sheet';

interface MoveOccurrenceProps {
  meeting: OwnMeeting | null;
  onClose: () => void;
  onMoved: () => void;
}

/** One time of a series is moved, the others stay (S5). */
export function MoveOccurrence({ meeting, onClose, onMoved }: MoveOccurrenceProps) {
  const { t } = useTranslation();
  return (
    <Sheet opened={meeting !== null} onClose={onClose} title={t('home.move')} size="sm">
      {meeting?.start && (
        <Form meeting={meeting} start={new Date(meeting.start)} onMoved={onMoved} onClose={onClose} />
      )}
    </Sheet>
  );
}

interface FormProps {
  meeting: OwnMeeting;
  start: Date;
  onMoved: () => void;
  onClose: () => void;
}

function Form({ meeting, start, onMoved, onClose }: FormProps) {
  const { t } = useTranslation();
  const [day, setDay] = useState(dayOf(start));
  const [time, setTime] = useState(timeOf(start));
  const [problem, setProblem] = useState<unknown>(null);
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    try {
      const to = new Date(`${day}T${time}`).toISOString();
      await rest.moveOccurrence(meeting.id, meeting.occurrence ?? '', to);
      onMoved();
      onClose();
    } catch (thrown) {
      setProblem(thrown);
    }
  };
  return (
    <form onSubmit={event => void submit(event)}>
      <Stack>
        <Group grow>
          <TextInput
            type="date"
            label={t('book.day')}
            value={day}
            onChange={event => setDay(event.currentTarget.value)}
          />
          <TextInput
            type="time"
            label={t('book.time')}
            value={time}
            onChange={event => setTime(event.currentTarget.value)}
            data-testid="move-time"
          />
        </Group>
        {problem !== null && (
          <Alert color="red" variant="light">
            {problemText(t, problem)}
          </Alert>
        )}
        <Button type="submit" disabled={!day || !time} data-testid="move-submit">
          {t('meeting.save')}
        </Button>
      </Stack>
    </form>
  );
}
