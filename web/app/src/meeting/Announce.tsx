import { Button, Group, Text, Textarea } from '@mantine/core';
import { Megaphone } from 'lucide-react';
import { type SubmitEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { attempt } from './controls';

interface AnnounceProps {
  label: string;
  /** On the button. */
  action: string;
  /** Characters. */
  most: number;
  testid: string;
  onSend: (text: string) => Promise<void>;
}

/** Something to read for many at once. */
export function Announce({ label, action, most, testid, onSend }: AnnounceProps) {
  const { t } = useTranslation();
  const [text, setText] = useState('');
  const [isSent, setSent] = useState(false);
  const send = (event: SubmitEvent) => {
    event.preventDefault();
    void attempt(async () => {
      await onSend(text.trim());
      setText('');
      setSent(true);
    });
  };
  return (
    <form onSubmit={send}>
      <Textarea
        label={label}
        autosize
        minRows={1}
        maxRows={4}
        maxLength={most}
        value={text}
        onChange={event => {
          setText(event.currentTarget.value);
          setSent(false);
        }}
        data-testid={testid}
      />
      <Group justify="space-between" mt={8} mih={30}>
        <Text fz="sm" c="dimmed" role="status">
          {isSent && t('breakouts.told')}
        </Text>
        <Button
          type="submit"
          size="xs"
          variant="light"
          leftSection={<Megaphone size={15} />}
          disabled={!text.trim()}
          data-testid={`${testid}-send`}
        >
          {action}
        </Button>
      </Group>
    </form>
  );
}
