import type { Question, ViewersMay } from '@huitong/sdk';
import { ActionIcon, Button, Checkbox, Text } from '@mantine/core';
import { Check, Hand, HandGrab, RotateCcw, Trash2 } from 'lucide-react';
import { useEffect } from 'react';
import { useTranslation } from 'react-i18next';
import { Written } from '../parts/Written';
import styles from './Audience.module.css';
import { attempt } from './controls';
import { useTalk } from './talk';
import { useManages, useMeeting, useMeetingState } from './useMeeting';

/** 观众: what viewers of the livestream ask, what most want to know first, and for hosts whose hands are up (B4). */
export function Audience() {
  const { t } = useTranslation();
  const questions = useMeetingState(state => state.questions);
  const manages = useManages();
  const see = useTalk(state => state.see);
  const newest = questions.at(-1)?.id ?? 0;
  useEffect(() => see(newest), [newest, see]);
  return (
    <>
      {manages && <Hands />}
      <ul className={styles.list} tabIndex={0} aria-label={t('viewers.title')}>
        {questions.length === 0 && (
          <Text component="li" fz="sm" c="dimmed" ta="center" mt="xl">
            {t('viewers.empty')}
          </Text>
        )}
        {byWish(questions).map(question => (
          <Asked key={question.id} question={question} />
        ))}
      </ul>
      {manages && <May />}
    </>
  );
}

/** What most want to know first, what is answered last. */
function byWish(questions: readonly Question[]): readonly Question[] {
  return questions.toSorted(
    (a, b) => Number(a.answered) - Number(b.answered) || b.votes - a.votes || a.id - b.id,
  );
}

function Asked({ question: { id, name, text, votes, answered, at_ms: at } }: { question: Question }) {
  const { t, i18n } = useTranslation();
  const meeting = useMeeting();
  const manages = useManages();
  return (
    <li
      className={styles.question}
      data-answered={answered || undefined}
      data-testid="viewer-question"
      data-votes={votes}
    >
      <div className={styles.by}>
        <span className={styles.name} dir="auto">
          {name}
        </span>
        <time dateTime={new Date(at).toISOString()}>
          {new Intl.DateTimeFormat(i18n.language, { timeStyle: 'short' }).format(at)}
        </time>
      </div>
      <p className={styles.text} dir="auto">
        {text}
      </p>
      <div className={styles.foot}>
        <span className={styles.votes}>
          {answered ? t('viewers.answered') : t('viewers.wanted', { count: votes })}
        </span>
        {manages && (
          <>
            <ActionIcon
              variant="subtle"
              color={answered ? 'gray' : 'teal'}
              aria-label={t(answered ? 'viewers.reopen' : 'viewers.answer', { text })}
              onClick={() => void attempt(() => meeting.answerQuestion(id, !answered))}
              data-testid="question-answered"
            >
              {answered ? <RotateCcw size={16} /> : <Check size={18} />}
            </ActionIcon>
            <ActionIcon
              variant="subtle"
              color="gray"
              aria-label={t('viewers.remove', { text })}
              onClick={() => void attempt(() => meeting.removeQuestion(id))}
              data-testid="question-remove"
            >
              <Trash2 size={16} />
            </ActionIcon>
          </>
        )}
      </div>
    </li>
  );
}

function Hands() {
  const { t } = useTranslation();
  const meeting = useMeeting();
  const hands = useMeetingState(state => state.viewerHands);
  if (hands.length === 0) return null;
  const title = t('viewers.hands', { count: hands.length });
  return (
    <section className={styles.hands} aria-label={title} data-testid="viewer-hands">
      <Text fz="sm" fw={600} px={8}>
        {title}
      </Text>
      <ul className={styles.raised} tabIndex={0} aria-label={title}>
        {hands.map(({ viewer, name, called }) => (
          <li key={viewer} data-testid="viewer-hand" data-name={name}>
            <Hand size={16} color="var(--hand)" aria-hidden />
            <span className={styles.name}>
              <Written text={name} />
            </span>
            <Button
              size="compact-xs"
              variant="light"
              disabled={called === true}
              aria-label={`${t(called ? 'viewers.called' : 'viewers.callUp')}: ${name}`}
              onClick={() => void attempt(() => meeting.callUp(viewer))}
              data-testid="viewer-call-up"
            >
              {t(called ? 'viewers.called' : 'viewers.callUp')}
            </Button>
            <ActionIcon
              variant="subtle"
              color="gray"
              aria-label={t('viewers.lower', { name })}
              onClick={() => void attempt(() => meeting.lowerViewerHand(viewer))}
              data-testid="viewer-hand-lower"
            >
              <HandGrab size={16} />
            </ActionIcon>
          </li>
        ))}
      </ul>
    </section>
  );
}

const RIGHTS = [
  ['chat', 'viewers.chat'],
  ['questions', 'viewers.questions'],
  ['reactions', 'viewers.reactions'],
  ['hands', 'viewers.raise'],
] as const satisfies [keyof ViewersMay, string][];

/** What viewers may do. */
function May() {
  const { t } = useTranslation();
  const meeting = useMeeting();
  const may = useMeetingState(state => state.meeting.viewers_may);
  return (
    <div className={styles.may} role="group" aria-label={t('viewers.may')}>
      <span>{t('viewers.may')}</span>
      {RIGHTS.map(([right, label]) => (
        <Checkbox
          key={right}
          size="xs"
          label={t(label)}
          checked={may[right]}
          onChange={event => {
            const on = event.currentTarget.checked;
            void attempt(() => meeting.allowViewers({ ...may, [right]: on }));
          }}
          data-testid={`viewers-may-${right}`}
        />
      ))}
    </div>
  );
}
