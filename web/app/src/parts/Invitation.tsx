import { Button, CopyButton, Group, Stack, Textarea } from '@mantine/core';
import type { OwnMeeting } from '@huitong/sdk';
import { Check, Copy } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { invitationText } from '../invitation';

/** 邀请信息, to be copied into a mail or a chat (S7). */
export function Invitation({ meeting }: { meeting: OwnMeeting }) {
  const { t } = useTranslation();
  const text = invitationText(t, meeting);
  return (
    <Stack>
      <Textarea value={text} readOnly autosize minRows={6} maxRows={14} aria-label={t('invite.title')} />
      <Group justify="flex-end">
        <CopyButton value={text} timeout={3000}>
          {({ copied, copy }) => (
            <Button
              leftSection={copied ? <Check size={16} /> : <Copy size={16} />}
              onClick={copy}
              data-testid="invite-copy"
            >
              {copied ? t('invite.copied') : t('invite.copy')}
            </Button>
          )}
        </CopyButton>
      </Group>
    </Stack>
  );
}
