import type { ChatMessage, HandedFile, Participant } from '@huitong/sdk';
import { ActionIcon, NativeSelect, SegmentedControl, Text, Textarea } from '@mantine/core';
import { useMediaQuery } from '@mantine/hooks';
import { Paperclip, SendHorizontal, Trash2 } from 'lucide-react';
import { type KeyboardEvent, useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { ChooseFile } from '../parts/ChooseFile';
import { sizeIn } from '../numbers';
import { rest } from '../rest';
import { Audience } from './Audience';
import styles from './Chat.module.css';
import { Face } from './Face';
import { Panel } from './Panel';
import { attempt } from './controls';
import { hueOf } from './people';
import { VIEWERS, pieces, useTalk } from './talk';
import { useManages, useMeeting, useMeetingState } from './useMeeting';

const LENGTH_MAX = 2_000;

/** For the livestream's viewers. */
const VIEWERS_LENGTH_MAX = 300;

/** Further from the end than this, somebody is reading what was said before. */
const AT_END_PX = 60;

/** 聊天: to all and to one, and beside it what the livestream's viewers ask. */
export function Chat({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation();
  const { side, turnTo } = useTalk();
  const open = useMeetingState(({ questions }) => questions.filter(({ answered }) => !answered).length);
  const hands = useMeetingState(state => state.viewerHands.length);
  const hasAudience = useMeetingState(state => state.broadcast !== null || state.questions.length > 0);
  const waiting = open + hands;
  return (
    <Panel name="chat" title={t('chat.title')} onClose={onClose}>
      {hasAudience && (
        <SegmentedControl
          mx="md"
          mb="xs"
          size="xs"
          value={side}
          onChange={turnTo}
          data={[
            { value: 'chat', label: t('chat.title') },
            {
              value: 'viewers',
              label: waiting > 0 ? `${t('viewers.title')} ${waiting}` : t('viewers.title'),
            },
          ]}
          data-testid="chat-side"
        />
      )}
      {hasAudience && side === 'viewers' ? <Audience /> : <Messages />}
    </Panel>
  );
}

/** What was said before one came is there too (C1, C21). */
function Messages() {
  const { t } = useTranslation();
  const chat = useMeetingState(state => state.chat);
  const see = useTalk(state => state.see);
  const list = useRef<HTMLUListElement>(null);
  const isAtEnd = useRef(true);
  const newest = chat.at(-1)?.id ?? 0;

  useEffect(() => {
    see(newest);
    if (isAtEnd.current) list.current?.scrollTo({ top: list.current.scrollHeight });
  }, [newest, see]);

  const follow = () => {
    const { scrollHeight = 0, scrollTop = 0, clientHeight = 0 } = list.current ?? {};
    isAtEnd.current = scrollHeight - scrollTop - clientHeight < AT_END_PX;
  };
  return (
    <>
      <ul
        className={styles.list}
        ref={list}
        onScroll={follow}
        // A list that scrolls is to be reached by keyboard too.
        tabIndex={0}
        aria-live="polite"
        aria-label={t('chat.title')}
      >
        {chat.length === 0 && (
          <Text component="li" fz="sm" c="dimmed" ta="center" mt="xl">
            {t('chat.empty')}
          </Text>
        )}
        {chat.map((message, index) => (
          <Message key={message.id} message={message} before={chat[index - 1]} />
        ))}
      </ul>
      <Writing />
    </>
  );
}

/** Messages of one person within so long stand under one name. */
const ONE_BREATH_MS = 180_000;

function Message({ message, before }: { message: ChatMessage; before: ChatMessage | undefined }) {
  const { t, i18n } = useTranslation();
  const { id, from, to, room, name, text, file, livestream, announced, at_ms: at } = message;
  const meeting = useMeeting();
  const { you } = meeting;
  const manages = useManages();
  const avatar = useMeetingState(({ participants }) => participants.find(({ id }) => id === from)?.avatar);
  const partner = useMeetingState(({ participants }) => participants.find(({ id }) => id === to)?.name);
  const goesOn =
    before?.from === from &&
    before.to === to &&
    before.livestream === livestream &&
    before.announced === announced &&
    at - before.at_ms < ONE_BREATH_MS;
  const whom =
    to === null ? null : to === you ? t('chat.toMe') : t('chat.toWhom', { name: partner ?? t('chat.gone') });
  return (
    <li
      className={styles.message}
      // A finger has no other way to what comes up with the mouse.
      tabIndex={manages ? -1 : undefined}
      data-own={from === you || undefined}
      data-private={to !== null || undefined}
      data-goes-on={goesOn || undefined}
      data-testid="chat-message"
      data-from={name}
    >
      {!goesOn && (
        <div className={styles.by}>
          <Face id={from} name={name} avatar={avatar} className={styles.face} />
          <span
            className={styles.name}
            style={{ color: `hsl(${hueOf(from)} 45% var(--name-light))` }}
            dir="auto"
          >
            {from === you ? t('chat.me') : name}
          </span>
          {whom && <span className={styles.whom}>{whom}</span>}
          {livestream && <span className={styles.whom}>{t(`chat.by.${livestream}`)}</span>}
          {announced && <span className={styles.whom}>{t('breakouts.toAll')}</span>}
          <time dateTime={new Date(at).toISOString()}>
            {new Intl.DateTimeFormat(i18n.language, { timeStyle: 'short' }).format(at)}
          </time>
        </div>
      )}
      {file && <HandedRound file={file} />}
      {text && (
        <div className={styles.text} dir="auto">
          {pieces(text).map((piece, index) =>
            piece.isLink ? (
              <a key={index} href={piece.text} target="_blank" rel="noopener noreferrer">
                {piece.text}
              </a>
            ) : (
              piece.text
            ),
          )}
        </div>
      )}
      {manages && to === null && !room && (
        <ActionIcon
          className={styles.remove}
          variant="subtle"
          color="gray"
          size={26}
          aria-label={t('chat.remove')}
          title={t('chat.remove')}
          onClick={() => void attempt(() => meeting.removeChat(id))}
          data-testid="chat-remove"
        >
          <Trash2 size={14} />
        </ActionIcon>
      )}
    </li>
  );
}

/** A file in the chat: it can be fetched while the meeting lasts (C21). */
function HandedRound({ file }: { file: HandedFile }) {
  const { i18n } = useTranslation();
  const meeting = useMeetingState(state => state.meeting.id);
  const size = sizeIn(i18n.language, file.bytes);
  return (
    <a
      className={styles.file}
      href={`/api/v1/meetings/${meeting}/files/${file.id}`}
      download={file.name}
      data-testid="chat-file"
    >
      <Paperclip size={15} aria-hidden />
      <span dir="auto">{file.name}</span>
      <small>{size}</small>
    </a>
  );
}

/** Whom a message may be for: telephones can't read. */
function readers(participants: readonly Participant[], you: string): Participant[] {
  return participants.filter(({ id, via }) => id !== you && via === 'web');
}

function Writing() {
  const { t } = useTranslation();
  const meeting = useMeeting();
  const participants = useMeetingState(state => state.participants);
  const { to, address, draft: text, write } = useTalk();
  const [isHanding, setHanding] = useState(false);
  // The keys of a screen have no Enter that sends.
  const isTouched = useMediaQuery('(pointer: coarse)');
  const hint = t(isTouched ? 'chat.placeholderTouch' : 'chat.placeholder');
  const others = readers(participants, meeting.you);
  const isLive = useMeetingState(state => state.broadcast !== null);
  const toViewers = useManages() && isLive;
  const isGone = to !== null && (to === VIEWERS ? !toViewers : !others.some(({ id }) => id === to));

  const send = () => {
    const said = text.trim();
    if (!said || isGone) return;
    write('');
    void attempt(async () => {
      const saying = to === VIEWERS ? meeting.tellViewers(said) : meeting.say(said, to);
      await saying.catch((thrown: unknown) => {
        // Nothing that was typed is lost.
        write(useTalk.getState().draft || said);
        throw thrown;
      });
    });
  };
  const hand = (file: File) => {
    const seat = meeting.resume;
    if (!seat || isGone || to === VIEWERS) return;
    setHanding(true);
    void attempt(() => rest.handRound(meeting.state.meeting.id, seat, file, to)).finally(() =>
      setHanding(false),
    );
  };
  const onKeyDown = (event: KeyboardEvent) => {
    // Enter that ends the choice of a Chinese character is no wish to send.
    if (event.key !== 'Enter' || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    send();
  };
  return (
    <div className={styles.writing}>
      <NativeSelect
        size="xs"
        aria-label={t('chat.to')}
        value={to ?? ''}
        onChange={event => address(event.currentTarget.value || null)}
        data={[
          { value: '', label: t('chat.toAll') },
          ...(toViewers ? [{ value: VIEWERS, label: t('chat.toViewers') }] : []),
          ...others.map(({ id, name }) => ({ value: id, label: t('chat.toWhom', { name }) })),
          ...(isGone ? [{ value: to, label: t('chat.gone'), disabled: true }] : []),
        ]}
        data-testid="chat-to"
      />
      <div className={styles.field}>
        <ChooseFile
          onFile={hand}
          disabled={isGone || to === VIEWERS}
          busy={isHanding}
          label={t('chat.file')}
          testid="chat-attach"
        >
          <Paperclip size={18} />
        </ChooseFile>
        <Textarea
          flex={1}
          autosize
          minRows={1}
          maxRows={5}
          maxLength={to === VIEWERS ? VIEWERS_LENGTH_MAX : LENGTH_MAX}
          placeholder={hint}
          aria-label={hint}
          value={text}
          onChange={event => write(event.currentTarget.value)}
          onKeyDown={onKeyDown}
          data-autofocus
          data-testid="chat-text"
        />
        <ActionIcon
          size={36}
          aria-label={t('chat.send')}
          disabled={!text.trim() || isGone}
          onClick={send}
          data-testid="chat-send"
        >
          <SendHorizontal size={18} />
        </ActionIcon>
      </div>
    </div>
  );
}
