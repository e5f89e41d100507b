import type { OwnMeeting } from '@huitong/sdk';
import { Alert, Badge, Button, Card, Center, Group, Loader, Modal, Stack, Text } from '@mantine/core';
import { Send } from 'lucide-react';
import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { inThrees } from '../numbers';
import { problemText } from '../problems';
import { rest } from '../rest';
import { Invitation } from './Invitation';

/** 我的会议. */
export function MeetingList({ onStart }: { onStart: (meeting: OwnMeeting) => void }) {
  const { t } = useTranslation();
  const [meetings, setMeetings] = useState<OwnMeeting[] | null>(null);
  const [problem, setProblem] = useState<unknown>(null);
  const [invited, setInvited] = useState<OwnMeeting | null>(null);

  useEffect(() => {
    rest.meetings().then(setMeetings, setProblem);
  }, []);

  if (problem !== null) {
    return (
      <Alert color="red" variant="light">
        {problemText(t, problem)}
      </Alert>
    );
  }
  if (!meetings) {
    return (
      <Center py="xl">
        <Loader size="sm" />
      </Center>
    );
  }
  return (
    <>
      <Stack gap="sm">
        {meetings.length === 0 && <Text c="dimmed">{t('home.noMeetings')}</Text>}
        {meetings.map(meeting => (
          <Card
            key={meeting.id}
            withBorder
            padding="sm"
            data-testid="meeting-item"
            data-number={meeting.number}
          >
            <Group justify="space-between" gap="sm">
              <div style={{ minWidth: 0, flex: '1 1 220px' }}>
                <Group gap="xs" wrap="nowrap">
                  <Text fw={550} truncate>
                    {meeting.title}
                  </Text>
                  {meeting.state === 'live' && (
                    <Badge color="teal" variant="light" style={{ flexShrink: 0 }}>
                      {t('home.live')}
                    </Badge>
                  )}
                </Group>
                <Text fz="sm" c="dimmed">
                  {t('home.numberIs', { number: inThrees(meeting.number) })}
                  {meeting.password && ` · ${t('home.passwordIs', { password: meeting.password })}`}
                </Text>
              </div>
              <Group gap="xs" wrap="nowrap">
                <Button
                  variant="default"
                  size="sm"
                  leftSection={<Send size={15} />}
                  onClick={() => setInvited(meeting)}
                  data-testid="meeting-invite"
                >
                  {t('home.invite')}
                </Button>
                <Button size="sm" onClick={() => onStart(meeting)} data-testid="meeting-start">
                  {meeting.state === 'live' ? t('home.enter') : t('home.start')}
                </Button>
              </Group>
            </Group>
          </Card>
        ))}
      </Stack>
      <Modal
        opened={invited !== null}
        onClose={() => setInvited(null)}
        title={t('invite.title')}
        centered
        size="lg"
      >
        {invited && <Invitation meeting={invited} />}
      </Modal>
    </>
  );
}
