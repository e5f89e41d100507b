import type { OwnMeeting } from '@huitong/sdk';
import { Alert, Button, Group, Loader, Paper, SegmentedControl, Stack, Text } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useTimes } from '../booking/words';
import { problemText } from '../problems';
import { Audience } from './Audience';
import { Encoder } from './Encoder';
import { MeetingCard } from './MeetingCard';
import styles from './MeetingList.module.css';
import { Recordings } from './Recordings';
import { SearchField } from './SearchField';
import { type Period, keyOf, useMeetings } from './useMeetings';

interface ListProps extends MeetingListProps {
  /** What is shown first. */
  begin: 'recordings' | undefined;
}

interface MeetingListProps {
  onStart: (meeting: OwnMeeting) => void;
  onInvite: (meeting: OwnMeeting) => void;
}

/** 我的会议 (S6): upcoming and past ones, and what was recorded. */
export function MeetingList({ begin, ...props }: ListProps) {
  const { t } = useTranslation();
  const [shown, setShown] = useState<Period | 'recordings'>(begin ?? 'upcoming');
  const [search, setSearch] = useState('');
  const [wanted] = useDebouncedValue(search.trim(), 250);
  return (
    <>
      <Group justify="space-between" mb="md" gap="sm">
        <SegmentedControl
          value={shown}
          onChange={value => setShown(value)}
          data={(['upcoming', 'past', 'recordings'] as const).map(value => ({
            value,
            label: t(`home.${value}`),
          }))}
          data-testid="meetings-period"
        />
        {shown !== 'recordings' && (
          <SearchField
            flex="1 1 240px"
            maw={{ xs: 240 }}
            label={t('home.search')}
            value={search}
            onChange={setSearch}
            testid="meetings-search"
          />
        )}
      </Group>
      {shown === 'recordings' ? (
        <Recordings />
      ) : (
        <Meetings key={shown} period={shown} search={wanted} {...props} />
      )}
    </>
  );
}

function Meetings({
  period,
  search,
  onStart,
  onInvite,
}: MeetingListProps & { period: Period; search: string }) {
  const { t } = useTranslation();
  const times = useTimes();
  const { meetings, hasMore, more, problem, deletion, remove, undo, reload } = useMeetings(period, search);
  const [watched, setWatched] = useState<OwnMeeting | null>(null);
  const [encoded, setEncoded] = useState<OwnMeeting | null>(null);
  if (!meetings && problem === null) return <Loader size="sm" mx="auto" display="block" my="xl" />;

  let day: string | undefined;
  return (
    <>
      {problem !== null && (
        <Alert color="red" variant="light" mb="sm" data-testid="meetings-problem">
          {problemText(t, problem)}
        </Alert>
      )}
      {meetings?.length === 0 && (
        <Text c="dimmed" ta="center" py="xl">
          {search ? t('home.notFound') : t(`home.none_${period}`)}
        </Text>
      )}
      <Stack gap="sm">
        {meetings?.map(meeting => {
          const its = times(meeting)?.day;
          const isNewDay = its !== day;
          day = its;
          return (
            <div key={keyOf(meeting)}>
              {isNewDay && its && (
                <Text fz="sm" fw={600} c="dimmed" mt="xs" mb={6}>
                  {its}
                </Text>
              )}
              <MeetingCard
                meeting={meeting}
                isPast={period === 'past'}
                onStart={() => onStart(meeting)}
                onInvite={() => onInvite(meeting)}
                onAudience={() => setWatched(meeting)}
                onEncoder={() => setEncoded(meeting)}
                onDelete={isSeries => remove({ meeting, isSeries })}
              />
            </div>
          );
        })}
      </Stack>
      {hasMore && (
        <Group justify="center" mt="md">
          <Button variant="default" onClick={() => void more()}>
            {t('home.more')}
          </Button>
        </Group>
      )}
      {deletion && (
        <Paper className={styles.undo} withBorder shadow="lg" role="status" data-testid="deleted">
          <Text fz="sm">{t('home.deleted', { title: deletion.meeting.title })}</Text>
          <Button size="compact-sm" variant="subtle" onClick={undo} data-testid="undo">
            {t('home.undo')}
          </Button>
        </Paper>
      )}
      <Audience
        meeting={watched}
        onClose={() => {
          setWatched(null);
          // Who may watch is part of the address.
          reload();
        }}
      />
      <Encoder meeting={encoded} onClose={() => setEncoded(null)} />
    </>
  );
}
