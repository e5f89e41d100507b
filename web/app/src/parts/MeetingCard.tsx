import type { OwnMeeting } from '@huitong/sdk';
import { ActionIcon, Anchor, Badge, Button, Card, Group, Menu, Text } from '@mantine/core';
import {
  CalendarClock,
  EllipsisVertical,
  Eye,
  PenLine,
  Radio,
  RadioTower,
  Repeat2,
  Send,
  Trash2,
} from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';
import { useRecurrenceText, useTimes } from '../booking/words';
import { inThrees } from '../numbers';
import styles from './MeetingList.module.css';
import { Written } from './Written';
import { useNow } from './useNow';

interface MeetingCardProps {
  meeting: OwnMeeting;
  isPast: boolean;
  onStart: () => void;
  onInvite: () => void;
  onAudience: () => void;
  onEncoder: () => void;
  onDelete: (isSeries: boolean) => void;
}

/** One meeting of the list, with what can be done about it. */
export function MeetingCard({
  meeting,
  isPast,
  onStart,
  onInvite,
  onAudience,
  onEncoder,
  onDelete,
}: MeetingCardProps) {
  const { t } = useTranslation();
  const times = useTimes()(meeting);
  const recurrence = useRecurrenceText()(meeting);
  const { title, number, password, state, personal } = meeting;
  const isLive = state === 'live';
  const now = useNow(30_000, !isPast);
  // Before that one would wait at the door.
  const isOpen = isLive || !meeting.start || now >= Date.parse(meeting.start) - meeting.early_start * 60_000;
  const isSeries = meeting.recurrence !== null;
  return (
    <Card
      withBorder
      radius="lg"
      padding={0}
      className={styles.card}
      data-testid="meeting-item"
      data-number={number}
      data-title={title}
    >
      {times && (
        <div className={styles.times}>
          <Text fw={600}>{times.from}</Text>
          <Text fz="sm" c="dimmed">
            {times.until}
          </Text>
        </div>
      )}
      <div className={styles.what}>
        <Group gap={8} wrap="nowrap">
          <Text fw={550} truncate>
            <Written text={title} />
          </Text>
          {isLive && (
            <Badge color="teal" variant="light" style={{ flexShrink: 0 }}>
              {t('home.live')}
            </Badge>
          )}
          {personal && (
            <Badge color="lake" variant="light" style={{ flexShrink: 0 }}>
              {t('home.personal')}
            </Badge>
          )}
        </Group>
        <Group gap="4px 12px" c="dimmed" fz="sm" mt={2}>
          <span>{t('home.numberIs', { number: inThrees(number) })}</span>
          {password && <span>{t('home.passwordIs', { password })}</span>}
          {recurrence && (
            <Group gap={4} component="span">
              <Repeat2 size={14} aria-hidden />
              {recurrence}
            </Group>
          )}
          {meeting.watch && (
            <Anchor href={meeting.watch} target="_blank" rel="noopener" fz="sm">
              <Group gap={4} component="span">
                <Radio size={14} aria-hidden />
                {t('home.livestream')}
              </Group>
            </Anchor>
          )}
        </Group>
      </div>
      <Group gap="xs" wrap="nowrap">
        {!isPast && (
          <>
            <Button
              variant="default"
              size="sm"
              leftSection={<Send size={15} />}
              onClick={onInvite}
              data-testid="meeting-invite"
            >
              {t('home.invite')}
            </Button>
            <Button
              size="sm"
              variant={isOpen ? 'filled' : 'light'}
              onClick={onStart}
              data-testid="meeting-start"
            >
              {isLive ? t('home.enter') : t('home.start')}
            </Button>
          </>
        )}
        <Menu position="bottom-end" width={240} shadow="md">
          <Menu.Target>
            <ActionIcon
              variant="subtle"
              color="gray"
              size={36}
              aria-label={t('meeting.moreAbout', { name: title })}
              data-testid="meeting-more"
            >
              <EllipsisVertical size={17} />
            </ActionIcon>
          </Menu.Target>
          <Menu.Dropdown>
            {!isPast && isSeries && (
              <Menu.Item
                component={Link}
                to={`/meetings/${meeting.id}/${encodeURIComponent(meeting.occurrence ?? '')}`}
                leftSection={<CalendarClock size={16} />}
                data-testid="meeting-edit-one"
              >
                {t('home.editOne')}
              </Menu.Item>
            )}
            {!isPast && (
              <Menu.Item
                component={Link}
                to={`/meetings/${meeting.id}`}
                leftSection={<PenLine size={16} />}
                data-testid="meeting-edit"
              >
                {isSeries ? t('home.editSeries') : t('home.edit')}
              </Menu.Item>
            )}
            {meeting.watch && (
              <Menu.Item leftSection={<Eye size={16} />} onClick={onAudience} data-testid="meeting-audience">
                {t(meeting.options.webinar ? 'home.registrations' : 'home.audience')}
              </Menu.Item>
            )}
            {!isPast && (
              <Menu.Item
                leftSection={<RadioTower size={16} />}
                onClick={onEncoder}
                data-testid="meeting-encoder"
              >
                {t('home.encoder')}
              </Menu.Item>
            )}
            {!isPast && isSeries && (
              <Menu.Item
                color="red"
                leftSection={<Trash2 size={16} />}
                onClick={() => onDelete(false)}
                data-testid="meeting-delete-one"
              >
                {t('home.deleteOne')}
              </Menu.Item>
            )}
            <Menu.Item
              color="red"
              leftSection={<Trash2 size={16} />}
              onClick={() => onDelete(true)}
              data-testid="meeting-delete"
            >
              {isSeries ? t('home.deleteSeries') : t('home.delete')}
            </Menu.Item>
          </Menu.Dropdown>
        </Menu>
      </Group>
    </Card>
  );
}
