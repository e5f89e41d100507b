import type { Participant } from '@huitong/sdk';
import { Button, Stack, TextInput } from '@mantine/core';
import { type SubmitEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { attempt } from './controls';
import { useMeeting } from './useMeeting';
import { Sheet } from '../parts/Sheet';

/** 改名 (C5). */
export function Rename({ participant, onClose }: { participant: Participant | null; onClose: () => void }) {
  const { t } = useTranslation();
  return (
    <Sheet opened={participant !== null} onClose={onClose} title={t('meeting.rename')} size="sm">
      {participant && <Form key={participant.id} participant={participant} onClose={onClose} />}
    </Sheet>
  );
}

function Form({ participant, onClose }: { participant: Participant; onClose: () => void }) {
  const { t } = useTranslation();
  const meeting = useMeeting();
  const [name, setName] = useState(participant.name);
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    onClose();
    void attempt(() => meeting.rename(participant.id, name.trim()));
  };
  return (
    <form onSubmit={submit}>
      <Stack>
        <TextInput
          label={t('join.name')}
          maxLength={40}
          data-autofocus
          value={name}
          onChange={event => setName(event.currentTarget.value)}
          data-testid="rename-name"
        />
        <Button type="submit" disabled={!name.trim()} data-testid="rename-submit">
          {t('meeting.save')}
        </Button>
      </Stack>
    </form>
  );
}
