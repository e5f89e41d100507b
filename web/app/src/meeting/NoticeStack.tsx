import type { Participant } from '@huitong/sdk';
import { Button, CloseButton, Group, Paper, Text } from '@mantine/core';
import { useEffect, useEffectEvent, useRef } from 'react';
import { useTranslation } from 'react-i18next';
import { isWorthRetry, useLocalMedia } from '../media/local';
import { problemText } from '../problems';
import type { PanelName } from './Panel';
import type { Dialog } from './Room';
import styles from './Room.module.css';
import { attempt, toggleCamera, toggleHand, toggleMicrophone } from './controls';
import { type Told, inPlace, useNotices } from './notices';
import { useTalk } from './talk';
import { namesText, saidText } from './words';
import { TOLD_MIN, useEnd } from './useEnd';
import { useIsHost, useManages, useMe, useMeeting, useMeetingState } from './useMeeting';

interface NoticeStackProps {
  panel: PanelName | null;
  onPanel: (panel: PanelName) => void;
  onDialog: (dialog: Dialog) => void;
}

/** What the page says in passing, each with what can be done about it. */
export function NoticeStack({ panel, onPanel, onDialog }: NoticeStackProps) {
  const { shown, dismiss } = useNotices();
  const { t } = useTranslation();
  const text = useNoticeText();
  const action = useAction(onPanel, onDialog);
  useNews(panel);
  useEndAsked();
  useAnswered();
  return (
    <div className={styles.notices} role="status" aria-live="polite">
      {inPlace(shown).map(notice => {
        const offered = action(notice);
        return (
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
              <Text fz="sm" flex={1} lineClamp={3} style={{ overflowWrap: 'anywhere' }}>
                {text(notice)}
              </Text>
              {offered?.show && (
                <Button
                  size="compact-sm"
                  variant="default"
                  style={{ flexShrink: 0 }}
                  onClick={offered.show}
                  data-testid="notice-show"
                >
                  {t('meeting.show')}
                </Button>
              )}
              {offered && (
                <Button
                  size="compact-sm"
                  style={{ flexShrink: 0 }}
                  onClick={() => {
                    dismiss(notice.id);
                    offered.act();
                  }}
                  data-testid="notice-accept"
                >
                  {offered.label}
                </Button>
              )}
              <CloseButton aria-label={t('meeting.close')} onClick={() => dismiss(notice.id)} />
            </Group>
          </Paper>
        );
      })}
    </div>
  );
}

interface Action {
  label: string;
  act: () => void;
  /** Opens where there is more to be seen and done. */
  show?: () => void;
}

/** The one thing that is most likely wanted after a notice. */
function useAction(onPanel: (panel: PanelName) => void, onDialog: (dialog: Dialog) => void) {
  const { t } = useTranslation();
  const meeting = useMeeting();
  const isScalable = useMeetingState(state => state.meeting.scalable);
  const isHandUp = useMe()?.hand === true;
  const trouble = useLocalMedia(state => state.trouble);
  return (told: Told): Action | null => {
    switch (told.kind) {
      case 'problem':
        return told.problem.code === 'no_self_unmute' && !isHandUp
          ? { label: t('meeting.raiseHand'), act: () => void toggleHand(meeting) }
          : null;
      case 'trouble':
        return isWorthRetry(trouble[told.device])
          ? {
              label: t('problems.retry'),
              act: () => void (told.device === 'camera' ? toggleCamera() : toggleMicrophone(meeting)),
            }
          : null;
      case 'music':
        return { label: t('meeting.letMusic'), act: () => void attempt(() => meeting.unmute(told.who)) };
      case 'asked_to_unmute':
      case 'sound_muted':
        return {
          label: t('meeting.unmute'),
          act: () => {
            if (meeting.me?.muted) void toggleMicrophone(meeting);
          },
        };
      case 'asked_to_show':
        return {
          label: t('meeting.startVideo'),
          act: () => {
            if (!meeting.me?.camera) void toggleCamera();
          },
        };
      case 'ends_soon':
        return isScalable ? { label: t('scale.extendDo'), act: () => onDialog('scale') } : null;
      case 'knock':
        return {
          label: t('meeting.admitAll'),
          act: () => void attempt(() => meeting.admitAll()),
          show: () => onPanel('participants'),
        };
      case 'help':
        return {
          label: t('breakouts.go'),
          act: () => void attempt(() => meeting.moveTo(meeting.you, told.room)),
        };
      case 'hand':
        return { label: t('chat.reply'), act: () => onPanel('participants') };
      case 'viewer_hand':
        return {
          label: t('chat.reply'),
          act: () => {
            useTalk.getState().turnTo('viewers');
            onPanel('chat');
          },
        };
      case 'poll':
        return { label: t('polls.vote'), act: () => onPanel('polls') };
      case 'said':
        return { label: t('chat.reply'), act: () => onPanel('chat') };
      default:
        return null;
    }
  };
}

/** What needs no notice once its panel is open. */
const SHOWN_BY: Record<PanelName, readonly Told['kind'][]> = {
  participants: ['knock', 'hand'],
  chat: ['said', 'viewer_hand'],
  polls: ['poll'],
};

/** Tells what came while its panel was shut: messages, polls, somebody at the door, raised hands. */
function useNews(panel: PanelName | null): void {
  const { tell, forget } = useNotices();
  const meeting = useMeeting();
  const { you } = meeting;
  const said = useMeetingState(({ chat }) => chat.at(-1));
  const asked = useMeetingState(({ polls }) => polls.at(-1));
  const waiting = useMeetingState(state => state.waiting);
  const participants = useMeetingState(state => state.participants);
  const manages = useManages();
  const hands = participants.filter(({ id, hand }) => manages && hand && id !== you);
  useCrowd('knock', waiting, panel === 'participants');
  useCrowd('hand', hands, panel === 'participants');
  const viewerHands = useMeetingState(state => state.viewerHands);
  const raised = viewerHands.map(({ viewer, name }) => ({ id: viewer, name }));
  useCrowd('viewer_hand', manages ? raised : [], panel === 'chat');
  useHelpAsked(manages ? participants.filter(person => person.asks_help) : []);
  const troubled = useMeetingState(({ participants }) => participants.find(person => person.line_trouble));
  // What was there when one came in is no news.
  const known = useRef({ said: said?.id ?? 0, asked: asked?.id ?? 0, trouble: '' });
  useEffect(() => {
    return meeting.on('anew', () => {
      const { chat, polls } = meeting.state;
      known.current = { said: chat.at(-1)?.id ?? 0, asked: polls.at(-1)?.id ?? 0, trouble: '' };
    });
  }, [meeting]);

  useEffect(() => {
    if (panel) forget(SHOWN_BY[panel]);
  }, [panel, forget]);
  useEffect(() => {
    if (!said || said.id <= known.current.said) return;
    known.current.said = said.id;
    if (said.announced && said.from !== you) {
      tell({ kind: 'announced', from: said.name, text: said.text });
      return;
    }
    if (panel !== 'chat' && said.from !== you && said.livestream !== 'viewer')
      tell({
        kind: 'said',
        from: said.name,
        text: said.text,
        file: said.file?.name ?? null,
        isPrivate: said.to !== null,
      });
  }, [said, panel, tell, you]);
  useEffect(() => {
    if (!asked || asked.id <= known.current.asked) return;
    known.current.asked = asked.id;
    if (panel !== 'polls') tell({ kind: 'poll', text: asked.question });
  }, [asked, panel, tell]);
  useEffect(() => {
    const trouble = troubled ? `${troubled.id} ${troubled.line_trouble}` : '';
    if (trouble === known.current.trouble) return;
    known.current.trouble = trouble;
    forget(['music', 'silent_line']);
    if (!troubled || !manages) return;
    const kind = troubled.line_trouble === 'music' ? 'music' : 'silent_line';
    tell({ kind, who: troubled.id, name: troubled.name });
  }, [troubled, manages, tell, forget]);
}

/**
 * Tells of some who want something, all in one notice, anew for each who joins them, and no longer once none is left.
 * Who waits at the door is told of again when he is seen no more.
 */
function useCrowd(
  kind: 'knock' | 'hand' | 'viewer_hand',
  crowd: readonly { id: string; name: string }[],
  isSeen: boolean,
): void {
  const { tell, forget } = useNotices();
  const known = useRef<ReadonlySet<string>>(new Set());
  const wasSeen = useRef(isSeen);
  const follow = useEffectEvent(() => {
    const isHidden = kind === 'knock' && wasSeen.current && !isSeen;
    wasSeen.current = isSeen;
    const hasCome = crowd.some(({ id }) => !known.current.has(id));
    known.current = new Set(crowd.map(({ id }) => id));
    if (crowd.length === 0) forget([kind]);
    const isShown = useNotices.getState().shown.some(notice => notice.kind === kind);
    if (crowd.length > 0 && !isSeen && (hasCome || isShown || isHidden)) {
      tell({ kind, names: crowd.map(({ name }) => name) });
    }
  });
  const ids = crowd.map(({ id }) => id).join(' ');
  useEffect(() => follow(), [ids, isSeen]);
}

/** Tells a host who asks for help, and where; no longer once nobody does. */
function useHelpAsked(asking: readonly Participant[]): void {
  const { tell, forget } = useNotices();
  const follow = useEffectEvent(() => {
    const first = asking[0];
    if (!first?.room) return forget(['help']);
    const together = asking.filter(({ room }) => room === first.room);
    tell({ kind: 'help', names: together.map(({ name }) => name), room: first.room });
  });
  const ids = asking.map(({ id }) => id).join(' ');
  useEffect(() => follow(), [ids]);
}

/** Asks the host whether to extend, once for each end (C15). */
function useEndAsked(): void {
  const { tell, forget } = useNotices();
  const isHost = useIsHost();
  const isSoon = useEnd() !== null;
  const end = useMeetingState(state => state.meeting.ends_ms);
  const asked = useRef<number | null>(null);
  useEffect(() => {
    if (!isSoon) return forget(['ends_soon']);
    if (!isHost || asked.current === end) return;
    asked.current = end;
    tell({ kind: 'ends_soon' });
  }, [isSoon, isHost, end, tell, forget]);
}

/** What one was asked for is no question once it is so, however it came about. */
function useAnswered(): void {
  const forget = useNotices(state => state.forget);
  const me = useMe();
  const isHeard = me?.muted === false;
  const isSeen = me?.camera === true;
  const hasSound = useLocalMedia(state => state.screenSound !== null);
  useEffect(() => {
    if (isHeard) forget(['asked_to_unmute']);
  }, [isHeard, forget]);
  useEffect(() => {
    if (isSeen) forget(['asked_to_show']);
  }, [isSeen, forget]);
  useEffect(() => {
    if (isHeard || !hasSound) forget(['sound_muted']);
  }, [isHeard, hasSound, forget]);
}

function useNoticeText(): (told: Told) => string {
  const { t } = useTranslation();
  const trouble = useLocalMedia(state => state.trouble);
  const isScalable = useMeetingState(state => state.meeting.scalable);
  const left = useEnd();
  return told => {
    switch (told.kind) {
      case 'problem':
        return problemText(t, told.problem);
      case 'trouble':
        return t(`trouble.${trouble[told.device] ?? 'failed'}`, { device: t(`devices.${told.device}`) });
      case 'said':
        return saidText(t, told);
      case 'music':
      case 'silent_line':
        return t(`notice.${told.kind}`, { name: told.name });
      case 'announced':
        return t('notice.announced', { name: told.from, text: told.text });
      case 'knock':
      case 'help':
      case 'hand':
      case 'viewer_hand':
        return t(`notice.${told.kind}`, { names: namesText(t, told.names) });
      case 'ends_soon':
        return t(isScalable ? 'notice.extend' : 'notice.ends_soon', { count: left ?? TOLD_MIN });
      case 'ends_in5':
        // A meeting may be opened later than that.
        return t('notice.ends_soon', { count: left ?? 5 });
      case 'poll':
        return t('notice.poll', { question: told.text });
      default:
        return t(`notice.${told.kind}`);
    }
  };
}
