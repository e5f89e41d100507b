import { Button, CloseButton, Group, Paper, Text } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { useLocalMedia } from '../media/local';
import { problemText } from '../problems';
import styles from './Room.module.css';
import { toggleCamera, toggleMicrophone } from './controls';
import { type Told, useNotices } from './notices';
import { useMeeting } from './useMeeting';

export function NoticeStack() {
  const { shown, dismiss } = useNotices();
  const meeting = useMeeting();
  const { t } = useTranslation();
  const text = useNoticeText();
  return (
    <div className={styles.notices} role="status" aria-live="polite">
      {shown.map(notice => (
        <Paper
          key={notice.id}
          withBorder
          shadow="md"
          p="xs"
          pl="md"
          data-testid="notice"
          data-notice={notice.kind}
        >
          <Group gap="sm" wrap="nowrap">
            <Text fz="sm" flex={1}>
              {text(notice)}
            </Text>
            {notice.kind === 'asked_to_unmute' && (
              <Button
                size="compact-sm"
                onClick={() => {
                  dismiss(notice.id);
                  if (meeting.me?.muted) void toggleMicrophone(meeting);
                }}
                data-testid="notice-accept"
              >
                {t('meeting.unmute')}
              </Button>
            )}
            {notice.kind === 'asked_to_show' && (
              <Button
                size="compact-sm"
                onClick={() => {
                  dismiss(notice.id);
                  if (!meeting.me?.camera) void toggleCamera();
                }}
                data-testid="notice-show"
              >
                {t('meeting.startVideo')}
              </Button>
            )}
            <CloseButton aria-label={t('meeting.close')} onClick={() => dismiss(notice.id)} />
          </Group>
        </Paper>
      ))}
    </div>
  );
}

function useNoticeText(): (told: Told) => string {
  const { t } = useTranslation();
  const trouble = useLocalMedia(state => state.trouble);
  return told => {
    switch (told.kind) {
      case 'problem':
        return problemText(t, told.problem);
      case 'trouble':
        return t(`trouble.${trouble[told.device] ?? 'failed'}`, { device: t(`devices.${told.device}`) });
      default:
        return t(`notice.${told.kind}`);
    }
  };
}
