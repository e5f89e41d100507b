import { Button, Group, Text } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { Sheet } from './Sheet';

interface ConfirmProps {
  opened: boolean;
  title: string;
  /** What can't be taken back. */
  children: string;
  /** The act's own word. */
  action: string;
  onConfirm: () => void;
  onClose: () => void;
}

/** Asks before what can't be undone; whoever presses Enter without reading has done nothing. */
export function Confirm({ opened, title, children, action, onConfirm, onClose }: ConfirmProps) {
  const { t } = useTranslation();
  return (
    <Sheet opened={opened} onClose={onClose} title={title} size="sm">
      <Text fz="sm" style={{ overflowWrap: 'anywhere' }} data-testid="confirm-text">
        {children}
      </Text>
      <Group justify="flex-end" mt="lg">
        <Button variant="default" onClick={onClose} data-autofocus data-testid="confirm-cancel">
          {t('polls.cancel')}
        </Button>
        <Button
          color="red"
          onClick={() => {
            onClose();
            onConfirm();
          }}
          data-testid="confirm"
        >
          {action}
        </Button>
      </Group>
    </Sheet>
  );
}
