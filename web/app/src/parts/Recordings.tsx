import type { RecordingInfo } from '@huitong/sdk';
import { ActionIcon, Alert, Anchor, Button, Card, Group, Loader, Stack, Text } from '@mantine/core';
import { Download, Play, Trash2 } from 'lucide-react';
import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { sizeIn } from '../numbers';
import { problemText } from '../problems';
import { rest } from '../rest';
import styles from './MeetingList.module.css';
import { Confirm } from './Confirm';
import { Sheet } from './Sheet';
import { Written } from './Written';

/** 录制: films of one's own meetings, the newest first (C23). */
export function Recordings() {
  const { t, i18n } = useTranslation();
  const [recordings, setRecordings] = useState<RecordingInfo[] | null>(null);
  const [doomed, setDoomed] = useState<RecordingInfo | null>(null);
  const [isDeleting, setDeleting] = useState(false);
  const [played, setPlayed] = useState<RecordingInfo | null>(null);
  const [problem, setProblem] = useState<unknown>(null);
  useEffect(() => {
    rest.recordings().then(setRecordings, setProblem);
  }, []);
  const when = new Intl.DateTimeFormat(i18n.language, { dateStyle: 'medium', timeStyle: 'short' });

  const remove = async (id: string) => {
    try {
      setProblem(null);
      await rest.deleteRecording(id);
      setRecordings(now => now?.filter(one => one.id !== id) ?? null);
    } catch (thrown) {
      setProblem(thrown);
    }
  };
  const trouble = problem !== null && (
    <Alert color="red" variant="light">
      {problemText(t, problem)}
    </Alert>
  );
  if (!recordings) return trouble || <Loader size="sm" mx="auto" display="block" my="xl" />;
  return (
    <Stack gap="sm">
      {trouble}
      {recordings.length === 0 && (
        <Text c="dimmed" ta="center" py="xl">
          {t('recording.none')}
        </Text>
      )}
      <Sheet
        opened={played !== null}
        onClose={() => setPlayed(null)}
        title={played && <Written text={played.title} />}
        size="xl"
      >
        {played && <Film recording={played} />}
      </Sheet>
      <Confirm
        opened={isDeleting}
        title={t('recording.remove', { title: doomed?.title ?? '' })}
        action={t('recording.sure')}
        onConfirm={() => {
          if (doomed) void remove(doomed.id);
        }}
        onClose={() => setDeleting(false)}
      >
        {t('recording.removeSure')}
      </Confirm>
      {recordings.map(({ id, title, start, state, seconds, bytes, file, watch, tracks }) => (
        <Card
          key={id}
          withBorder
          radius="lg"
          padding={0}
          className={styles.card}
          data-testid="recording-item"
        >
          <div className={styles.what}>
            <Text fw={550} truncate>
              <Written text={title} />
            </Text>
            <Group gap="4px 12px" c="dimmed" fz="sm">
              <span>{when.format(new Date(start))}</span>
              {state === 'ready' ? (
                <>
                  <span>{t('book.minutes', { count: Math.max(1, Math.round(seconds / 60)) })}</span>
                  <span>{sizeIn(i18n.language, bytes)}</span>
                </>
              ) : (
                <span>{t('recording.on')}</span>
              )}
              {watch && (
                <Anchor href={watch} target="_blank" rel="noopener" fz="sm">
                  {t('recording.replay')}
                </Anchor>
              )}
            </Group>
            {state === 'ready' && tracks && (
              <Group gap="4px 12px" c="dimmed" fz="sm" data-testid="recording-tracks">
                <span>{t('recording.tracks')}</span>
                {tracks.map(track => (
                  <Anchor key={track.file} href={track.file} fz="sm">
                    <Written text={track.name} />
                  </Anchor>
                ))}
              </Group>
            )}
          </div>
          {state === 'ready' && (
            <Group gap="xs" wrap="nowrap">
              <Button
                variant="default"
                leftSection={<Play size={15} />}
                aria-label={t('recording.play', { title })}
                onClick={() => setPlayed(recordings.find(one => one.id === id) ?? null)}
                data-testid="recording-play"
              >
                {t('recording.playDo')}
              </Button>
              <Button component="a" href={file} variant="default" leftSection={<Download size={15} />}>
                {t('recording.download')}
              </Button>
              <ActionIcon
                variant="subtle"
                color="red"
                size={36}
                aria-label={t('recording.remove', { title })}
                onClick={() => {
                  setDoomed(recordings.find(one => one.id === id) ?? null);
                  setDeleting(true);
                }}
                data-testid="recording-delete"
              >
                <Trash2 size={17} />
              </ActionIcon>
            </Group>
          )}
        </Card>
      ))}
    </Stack>
  );
}

/** Whether it was ever live or not: its owner sees it here, and can go to and fro in it. */
function Film({ recording: { file, captions } }: { recording: RecordingInfo }) {
  const { t } = useTranslation();
  return (
    <video
      src={file}
      controls
      autoPlay
      playsInline
      style={{ display: 'block', width: '100%', maxHeight: '75dvh', background: '#000' }}
      data-testid="recording-film"
    >
      {captions && <track kind="captions" src={captions} label={t('recording.captions')} default />}
    </video>
  );
}
