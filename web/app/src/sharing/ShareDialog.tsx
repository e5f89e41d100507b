import type { Bookmark } from '@huitong/sdk';
import { ActionIcon, Alert, Button, Group, Stack, Text, TextInput, Title } from '@mantine/core';
import { BookmarkPlus, FileText, Globe, Image, MonitorUp, PenLine, Trash2 } from 'lucide-react';
import { type SubmitEvent, useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useAccount } from '../account';
import { hostOf } from '../addresses';
import { canShareScreen } from '../media/local';
import { toggleScreen } from '../meeting/controls';
import { useMeeting } from '../meeting/useMeeting';
import { ChooseFile } from '../parts/ChooseFile';
import { problemText } from '../problems';
import { rest } from '../rest';
import styles from './ShareDialog.module.css';

/** Those every browser shows; others' formats would be seen by their owners alone. */
const SHOWN = {
  picture: ['image/png', 'image/jpeg', 'image/webp', 'image/gif'],
  document: ['application/pdf'],
} as const;

const FILES = [
  { kind: 'picture', accept: SHOWN.picture.join(), Icon: Image },
  // Whoever looks for a document of Word or PowerPoint finds it, and is told what to do.
  {
    kind: 'document',
    accept: `${SHOWN.document.join()},.pdf,.doc,.docx,.ppt,.pptx,.xls,.xlsx`,
    Icon: FileText,
  },
] as const;

/** By its kind; some systems know no kind of a PDF and leave it empty. */
function isShown(kind: keyof typeof SHOWN, { name, type }: File): boolean {
  return SHOWN[kind].some(known => known === type) || (kind === 'document' && /\.pdf$/i.test(name));
}

/** 共享 (C20): what can be shown to all. */
export function ShareDialog({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation();
  const meeting = useMeeting();
  const account = useAccount(state => state.account);
  const [busy, setBusy] = useState<string | null>(null);
  const [problem, setProblem] = useState<unknown>(null);
  const [other, setOther] = useState<string | null>(null);

  const share = async (what: string, show: () => Promise<unknown>) => {
    setBusy(what);
    setProblem(null);
    setOther(null);
    try {
      await show();
      onClose();
    } catch (thrown) {
      setProblem(thrown);
    } finally {
      setBusy(null);
    }
  };
  const showFile = (kind: 'picture' | 'document', file: File) => {
    if (!isShown(kind, file)) {
      setProblem(null);
      setOther(file.name);
      return;
    }
    const seat = meeting.resume;
    if (seat) void share(kind, () => rest.showFile(meeting.state.meeting.id, seat, file, kind));
  };
  return (
    <Stack gap="lg" data-testid="share-dialog">
      <div className={styles.choices}>
        {canShareScreen() && (
          <button
            type="button"
            className={styles.choice}
            // Browsers ask what to share only while one's press is fresh.
            onClick={() => {
              onClose();
              void toggleScreen();
            }}
            data-testid="toggle-screen"
          >
            <MonitorUp aria-hidden />
            {t('share.screen')}
          </button>
        )}
        {FILES.map(({ kind, accept, Icon }) => (
          <ChooseFile
            key={kind}
            accept={accept}
            className={styles.choice}
            disabled={busy !== null}
            onFile={file => showFile(kind, file)}
            testid={`share-${kind}`}
          >
            <Icon aria-hidden />
            {busy === kind
              ? t('share.sending')
              : t(kind === 'picture' ? 'share.picture' : 'share.documentPdf')}
          </ChooseFile>
        ))}
        <button
          type="button"
          className={styles.choice}
          disabled={busy !== null}
          onClick={() => void share('whiteboard', () => meeting.showWhiteboard())}
          data-testid="share-whiteboard"
        >
          <PenLine aria-hidden />
          {t('share.whiteboard')}
        </button>
      </div>
      {/* Who has no screen to share is not sent to it. */}
      <Text fz="xs" c="dimmed" mt={-10} data-testid="share-office">
        {t(canShareScreen() ? 'share.office' : 'share.officePhone')}
      </Text>
      {other !== null && (
        <Alert color="yellow" variant="light" data-testid="share-other">
          {t(canShareScreen() ? 'share.other' : 'share.otherPhone', { name: other })}
        </Alert>
      )}
      {problem !== null && (
        <Alert color="red" variant="light" data-testid="share-problem">
          {problemText(t, problem)}
        </Alert>
      )}
      <Pages
        hasAccount={Boolean(account)}
        isBusy={busy !== null}
        onShow={(url, name) => void share('page', () => meeting.showPage(url, name))}
        onProblem={setProblem}
      />
    </Stack>
  );
}

interface PagesProps {
  hasAccount: boolean;
  isBusy: boolean;
  onShow: (url: string, name: string | null) => void;
  onProblem: (problem: unknown) => void;
}

/** People write addresses without their scheme. */
function addressOf(text: string): string {
  const written = text.trim();
  return /^[a-z][a-z0-9+.-]*:/i.test(written) ? written : `https://${written}`;
}

/** 网页 by its address, and 书签: those one keeps. */
function Pages({ hasAccount, isBusy, onShow, onProblem }: PagesProps) {
  const { t } = useTranslation();
  const [address, setAddress] = useState('');
  const [bookmarks, setBookmarks] = useState<readonly Bookmark[]>([]);
  useEffect(() => {
    if (!hasAccount) return;
    let isWanted = true;
    rest.bookmarks().then(
      all => isWanted && setBookmarks(all),
      (thrown: unknown) => isWanted && onProblem(thrown),
    );
    return () => {
      isWanted = false;
    };
  }, [hasAccount, onProblem]);

  const show = (event: SubmitEvent) => {
    event.preventDefault();
    onShow(addressOf(address), null);
  };
  const keep = async () => {
    const url = addressOf(address);
    const name = hostOf(url);
    try {
      const added = await rest.addBookmark(name.slice(0, 80), url);
      setBookmarks(all => [...all, added]);
      onProblem(null);
      setAddress('');
    } catch (thrown) {
      onProblem(thrown);
    }
  };
  const remove = async (id: string) => {
    try {
      await rest.removeBookmark(id);
      setBookmarks(all => all.filter(bookmark => bookmark.id !== id));
    } catch (thrown) {
      onProblem(thrown);
    }
  };
  return (
    <Stack gap="xs">
      <form onSubmit={show}>
        <TextInput
          label={t('share.page')}
          placeholder="https://"
          inputMode="url"
          autoComplete="off"
          maxLength={2_000}
          value={address}
          onChange={event => setAddress(event.currentTarget.value)}
          data-testid="share-address"
        />
        <Group justify="flex-end" gap="xs" mt="xs">
          {hasAccount && (
            <Button
              variant="default"
              size="xs"
              disabled={!address.trim()}
              leftSection={<BookmarkPlus size={15} />}
              onClick={() => void keep()}
              data-testid="bookmark-add"
            >
              {t('share.keep')}
            </Button>
          )}
          <Button
            type="submit"
            size="xs"
            disabled={!address.trim() || isBusy}
            leftSection={<Globe size={15} />}
            data-testid="share-page"
          >
            {t('meeting.share')}
          </Button>
        </Group>
      </form>
      {hasAccount && (
        <>
          <Title order={3} fz="sm">
            {t('share.bookmarks')}
          </Title>
          {bookmarks.length === 0 && (
            <Text fz="sm" c="dimmed">
              {t('share.noBookmarks')}
            </Text>
          )}
          {bookmarks.map(({ id, name, url }) => (
            <Group key={id} gap="xs" wrap="nowrap" data-testid="bookmark" data-name={name}>
              <button
                type="button"
                className={styles.bookmark}
                disabled={isBusy}
                onClick={() => onShow(url, name.slice(0, 40))}
                data-testid="bookmark-share"
              >
                <Text fz="sm" truncate>
                  {name}
                </Text>
                <Text fz="xs" c="dimmed" truncate>
                  {url}
                </Text>
              </button>
              <ActionIcon
                variant="subtle"
                color="gray"
                aria-label={t('share.removeBookmark', { name })}
                onClick={() => void remove(id)}
                data-testid="bookmark-remove"
              >
                <Trash2 size={16} />
              </ActionIcon>
            </Group>
          ))}
        </>
      )}
    </Stack>
  );
}
