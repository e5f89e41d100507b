import type { PromptInfo, Site } from '@huitong/sdk';
import {
  ActionIcon,
  Alert,
  Badge,
  Button,
  Group,
  Loader,
  SegmentedControl,
  Stack,
  Text,
} from '@mantine/core';
import { Pause, Play, Upload } from 'lucide-react';
import { useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { ChooseFile } from '../parts/ChooseFile';
import { SearchField } from '../parts/SearchField';
import { problemText } from '../problems';
import { rest } from '../rest';
import styles from './admin.module.css';
import { useAsked } from '../parts/useAsked';

/** What callers hear, by its language; languages are named in themselves. */
const SPOKEN = [
  { value: 'zh-CN', label: '中文' },
  { value: 'en-US', label: 'English' },
];

const promptsOf = (site: string) => rest.prompts(site);

/** 语音提示: what callers are told, heard and replaced (P3). */
export function Prompts({ site }: { site: Site }) {
  const { t, i18n } = useTranslation();
  const { found: prompts, setFound: setPrompts, problem } = useAsked(site.id, promptsOf);
  const [language, setLanguage] = useState(i18n.language.startsWith('zh') ? 'zh-CN' : 'en-US');
  const [isOwn, setOwn] = useState(false);
  const [search, setSearch] = useState('');
  const { playing, play } = usePlayer();
  const put = (changed: PromptInfo) =>
    setPrompts(all =>
      (all ?? []).map(one =>
        one.prompt === changed.prompt && one.language === changed.language ? changed : one,
      ),
    );
  const wanted = search.trim().toLowerCase();
  const shown = prompts?.filter(
    one =>
      one.language === language &&
      (!isOwn || one.changed) &&
      (one.text.toLowerCase().includes(wanted) || one.prompt.includes(wanted)),
  );
  return (
    <Stack gap="md">
      <Text fz="sm" c="dimmed">
        {t('prompts.hint')}
      </Text>
      <Group gap="sm">
        <SegmentedControl
          value={language}
          onChange={setLanguage}
          data={SPOKEN}
          data-testid="prompts-language"
        />
        <SegmentedControl
          value={isOwn ? 'own' : 'all'}
          onChange={value => setOwn(value === 'own')}
          data={[
            { value: 'all', label: t('prompts.all') },
            { value: 'own', label: t('prompts.own') },
          ]}
          data-testid="prompts-which"
        />
        <SearchField
          flex="1 1 200px"
          label={t('prompts.search')}
          value={search}
          onChange={setSearch}
          testid="prompts-search"
        />
      </Group>
      {problem !== null && (
        <Alert color="red" variant="light" data-testid="prompts-problem">
          {problemText(t, problem)}
        </Alert>
      )}
      {!prompts && problem === null && <Loader size="sm" mx="auto" display="block" my="xl" />}
      {shown?.length === 0 && (
        <Text c="dimmed" ta="center" py="xl">
          {t('prompts.none')}
        </Text>
      )}
      <ul className={styles.list}>
        {shown?.map(one => (
          <Row
            key={`${one.language} ${one.prompt}`}
            site={site}
            prompt={one}
            isPlaying={playing === one.file}
            onPlay={() => play(one.file)}
            onChanged={put}
          />
        ))}
      </ul>
    </Stack>
  );
}

interface RowProps {
  site: Site;
  prompt: PromptInfo;
  isPlaying: boolean;
  onPlay: () => void;
  onChanged: (prompt: PromptInfo) => void;
}

function Row({ site, prompt: known, isPlaying, onPlay, onChanged }: RowProps) {
  const { t, i18n } = useTranslation();
  const { language, prompt, text, changed } = known;
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<unknown>(null);
  const attempt = async (change: () => Promise<PromptInfo>) => {
    setBusy(true);
    setProblem(null);
    try {
      onChanged(await change());
    } catch (thrown) {
      setProblem(thrown);
    } finally {
      setBusy(false);
    }
  };
  const when = new Intl.DateTimeFormat(i18n.language, { dateStyle: 'medium', timeStyle: 'short' });
  return (
    <li
      className={styles.row}
      data-testid="prompt"
      data-prompt={prompt}
      data-language={language}
      data-own={Boolean(changed)}
    >
      <ActionIcon
        variant="light"
        size={36}
        aria-label={t(isPlaying ? 'prompts.pause' : 'prompts.play', { text })}
        onClick={onPlay}
        data-testid="prompt-play"
      >
        {isPlaying ? <Pause size={17} /> : <Play size={17} />}
      </ActionIcon>
      <div className={styles.what} lang={language}>
        <Text fz="sm">{text}</Text>
        <Group gap={8} mt={2}>
          <Text fz="xs" c="dimmed">
            {prompt}
          </Text>
          {changed && (
            <Badge size="sm" variant="light" color="teal" lang={i18n.language}>
              {t('prompts.changed', { when: when.format(new Date(changed)) })}
            </Badge>
          )}
        </Group>
        {problem !== null && (
          <Alert color="red" variant="light" mt="xs" p="xs" data-testid="prompt-problem" lang={i18n.language}>
            {problemText(t, problem)}
          </Alert>
        )}
      </div>
      <div className={styles.does}>
        {changed && (
          <Button
            size="xs"
            variant="subtle"
            color="gray"
            disabled={busy}
            onClick={() =>
              void attempt(async () => {
                await rest.removePrompt(site.id, language, prompt);
                return { ...known, changed: null };
              })
            }
            data-testid="prompt-restore"
          >
            {t('prompts.restore')}
          </Button>
        )}
        <ChooseFile
          accept=".wav,.ogg,.opus,audio/wav,audio/ogg"
          size="xs"
          busy={busy}
          onFile={file => void attempt(() => rest.setPrompt(site.id, language, prompt, file))}
          testid="prompt-upload"
        >
          <Upload size={14} style={{ marginRight: 6 }} aria-hidden />
          {t('prompts.upload')}
        </ChooseFile>
      </div>
    </li>
  );
}

/** Plays one file at a time. */
function usePlayer() {
  const audio = useRef<HTMLAudioElement | null>(null);
  const [playing, setPlaying] = useState<string | null>(null);
  const stop = () => {
    audio.current?.pause();
    audio.current = null;
    setPlaying(null);
  };
  useEffect(() => () => audio.current?.pause(), []);
  const play = (file: string) => {
    const isSame = playing === file;
    stop();
    if (isSame) return;
    const now = new Audio(file);
    const over = () => setPlaying(known => (known === file ? null : known));
    now.onended = over;
    now.onerror = over;
    audio.current = now;
    setPlaying(file);
    now.play().catch(over);
  };
  return { playing, play };
}
