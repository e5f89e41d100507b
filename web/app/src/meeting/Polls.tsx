import type { Poll } from '@huitong/sdk';
import { ActionIcon, Badge, Button, Checkbox, Group, Radio, Stack, Text, TextInput } from '@mantine/core';
import { Plus, X } from 'lucide-react';
import { type SubmitEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Panel } from './Panel';
import styles from './Polls.module.css';
import { attempt } from './controls';
import { useTalk } from './talk';
import { useManages, useMeeting, useMeetingState } from './useMeeting';

const CHOICES_MAX = 10;
const CHOICES_MIN = 2;

/** 投票: asked by the host, answered by all, counted for all to see (C17). */
export function Polls({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation();
  const polls = useMeetingState(state => state.polls);
  const manages = useManages();
  const [isAsking, setAsking] = useState(false);
  return (
    <Panel name="polls" title={t('polls.title')} onClose={onClose}>
      <div className={styles.list}>
        {polls.length === 0 && !isAsking && (
          <Text fz="sm" c="dimmed" ta="center" my="xl">
            {manages ? t('polls.emptyHost') : t('polls.empty')}
          </Text>
        )}
        {isAsking && <NewPoll onDone={() => setAsking(false)} />}
        {polls.toReversed().map(poll => (
          <OnePoll key={poll.id} poll={poll} />
        ))}
      </div>
      {manages && !isAsking && (
        <div className={styles.foot}>
          <Button
            fullWidth
            leftSection={<Plus size={16} />}
            onClick={() => setAsking(true)}
            data-testid="poll-new"
          >
            {t('polls.new')}
          </Button>
        </div>
      )}
    </Panel>
  );
}

function NewPoll({ onDone }: { onDone: () => void }) {
  const { t } = useTranslation();
  const meeting = useMeeting();
  const [question, setQuestion] = useState('');
  const [choices, setChoices] = useState(['', '']);
  const [isMultiple, setMultiple] = useState(false);
  const [asksViewers, setAsksViewers] = useState(false);
  const isLive = useMeetingState(state => state.broadcast !== null);
  const given = choices.map(choice => choice.trim()).filter(Boolean);
  const isReady = question.trim() !== '' && given.length >= CHOICES_MIN;

  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    void attempt(async () => {
      await meeting.startPoll(question.trim(), given, isMultiple, isLive && asksViewers);
      onDone();
    });
  };
  return (
    <form onSubmit={submit} className={styles.poll}>
      <Stack gap="xs">
        <TextInput
          label={t('polls.question')}
          maxLength={200}
          value={question}
          onChange={event => setQuestion(event.currentTarget.value)}
          autoFocus
          data-testid="poll-question"
        />
        {choices.map((choice, index) => (
          <TextInput
            key={index}
            aria-label={t('polls.choice', { number: index + 1 })}
            placeholder={t('polls.choice', { number: index + 1 })}
            maxLength={100}
            value={choice}
            onChange={event =>
              setChoices(choices.map((one, at) => (at === index ? event.currentTarget.value : one)))
            }
            rightSection={
              choices.length > CHOICES_MIN && (
                <ActionIcon
                  variant="subtle"
                  color="gray"
                  size="sm"
                  aria-label={t('polls.removeChoice', { number: index + 1 })}
                  onClick={() => setChoices(choices.filter((_, at) => at !== index))}
                >
                  <X size={14} />
                </ActionIcon>
              )
            }
            data-testid="poll-choice"
          />
        ))}
        <Group justify="space-between">
          <Button
            variant="subtle"
            size="compact-sm"
            leftSection={<Plus size={14} />}
            disabled={choices.length >= CHOICES_MAX}
            onClick={() => setChoices([...choices, ''])}
          >
            {t('polls.addChoice')}
          </Button>
          <Checkbox
            size="xs"
            label={t('polls.multiple')}
            checked={isMultiple}
            onChange={event => setMultiple(event.currentTarget.checked)}
            data-testid="poll-multiple"
          />
        </Group>
        {isLive && (
          <Checkbox
            size="xs"
            label={t('polls.viewers')}
            checked={asksViewers}
            onChange={event => setAsksViewers(event.currentTarget.checked)}
            data-testid="poll-viewers"
          />
        )}
        <Group grow>
          <Button variant="default" onClick={onDone}>
            {t('polls.cancel')}
          </Button>
          <Button type="submit" disabled={!isReady} data-testid="poll-start">
            {t('polls.start')}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

function OnePoll({ poll }: { poll: Poll }) {
  const { t } = useTranslation();
  const meeting = useMeeting();
  const manages = useManages();
  const { votes, keepVote } = useTalk();
  const voted = votes[poll.id];
  const [chosen, setChosen] = useState<readonly number[]>(voted ?? []);
  const [isChanging, setChanging] = useState(false);
  const isVoting = poll.open && (!voted || isChanging);

  const choose = (index: number) => {
    if (!poll.multiple) setChosen([index]);
    else setChosen(chosen.includes(index) ? chosen.filter(one => one !== index) : [...chosen, index]);
  };
  const vote = () =>
    attempt(async () => {
      await meeting.vote(poll.id, [...chosen]);
      keepVote(poll.id, chosen);
      setChanging(false);
    });
  const Mark = poll.multiple ? Checkbox : Radio;
  return (
    <section className={styles.poll} aria-label={poll.question} data-testid="poll" data-open={poll.open}>
      <Group justify="space-between" wrap="nowrap" align="flex-start" mb="xs">
        <Text fw={600} fz="sm" style={{ overflowWrap: 'anywhere' }}>
          <bdi>{poll.question}</bdi>
        </Text>
        <Badge variant="light" color={poll.open ? 'teal' : 'gray'} style={{ flexShrink: 0 }}>
          {poll.open ? t('polls.open') : t('polls.closed')}
        </Badge>
      </Group>
      <Stack gap={8}>
        {poll.choices.map((choice, index) =>
          isVoting ? (
            <Mark
              key={index}
              name={`poll-${poll.id}`}
              label={<bdi>{choice.text}</bdi>}
              checked={chosen.includes(index)}
              onChange={() => choose(index)}
              data-testid="poll-option"
            />
          ) : (
            <Bar
              key={index}
              {...choice}
              share={poll.voters ? choice.votes / poll.voters : 0}
              isOwn={voted?.includes(index) ?? false}
            />
          ),
        )}
      </Stack>
      <Group justify="space-between" mt="sm">
        <Text fz="xs" c="dimmed" data-testid="poll-voters">
          {t('polls.voters', { count: poll.voters })}
        </Text>
        <Group gap="xs">
          {poll.open && voted && !isChanging && (
            <Button size="compact-sm" variant="subtle" onClick={() => setChanging(true)}>
              {t('polls.change')}
            </Button>
          )}
          {poll.open && manages && (
            <Button
              size="compact-sm"
              variant="default"
              onClick={() => void attempt(() => meeting.closePoll(poll.id))}
              data-testid="poll-close"
            >
              {t('polls.close')}
            </Button>
          )}
          {isVoting && (
            <Button
              size="compact-sm"
              disabled={chosen.length === 0}
              onClick={() => void vote()}
              data-testid="poll-vote"
            >
              {t('polls.vote')}
            </Button>
          )}
        </Group>
      </Group>
    </section>
  );
}

interface BarProps {
  text: string;
  votes: number;
  /** Of all who voted, 0 to 1. */
  share: number;
  isOwn: boolean;
}

function Bar({ text, votes, share, isOwn }: BarProps) {
  const { t, i18n } = useTranslation();
  const percent = new Intl.NumberFormat(i18n.language, { style: 'percent' }).format(share);
  return (
    <div className={styles.result} data-testid="poll-result" data-votes={votes}>
      <div className={styles.bar} data-own={isOwn || undefined}>
        <span className={styles.fill} style={{ width: `${share * 100}%` }} />
        <span className={styles.label}>
          <bdi>{text}</bdi>
          {isOwn && t('polls.mine')}
        </span>
      </div>
      <span className={styles.figure}>
        {votes} · {percent}
      </span>
    </div>
  );
}
