import type { Meeting } from '@huitong/sdk';
import { Kbd, Switch, Table } from '@mantine/core';
import { useHotkeys } from '@mantine/hooks';
import { useEffect } from 'react';
import { useTranslation } from 'react-i18next';
import { useSettings } from '../settings';
import type { PanelName } from './Panel';
import { toggleCamera, toggleHand, toggleMicrophone, toggleScreen } from './controls';
import { talkBySpace } from './pushToTalk';
import { toggleFullScreen } from './fullScreen';
import { useTalk } from './talk';
import { useMeeting } from './useMeeting';
import { Sheet } from '../parts/Sheet';

/** Letters as Jitsi's users know them, and what they do. */
export const KEYS = [
  ['M', 'microphone'],
  ['V', 'camera'],
  ['D', 'screen'],
  ['C', 'chat'],
  ['P', 'participants'],
  ['R', 'hand'],
  ['W', 'layout'],
  ['S', 'fullScreen'],
  ['I', 'float'],
  ['T', 'stats'],
  ['1–9', 'pin'],
  ['0', 'unpin'],
  ['␣', 'talk'],
  ['?', 'help'],
] as const;

interface ShortcutsProps {
  onPanel: (panel: PanelName) => void;
  onHelp: () => void;
  onStatistics: () => void;
  onFloat: () => void;
}

/** A dialog or a menu has the focus: keys are its own. One that is just closing has it no more. */
const isCovered = (): boolean => document.activeElement?.closest('[role=dialog], [role=menu]') != null;

/** What keys do while nothing is being typed, where they are wanted (WCAG 2.1.4). */
export function useShortcuts({ onPanel, onHelp, onStatistics, onFloat }: ShortcutsProps): void {
  const meeting = useMeeting();
  const isOn = useSettings(state => state.shortcuts);
  const keys: [string, () => void][] = [
    ['m', () => void toggleMicrophone(meeting)],
    ['v', () => void toggleCamera()],
    ['d', () => void toggleScreen()],
    ['c', () => onPanel('chat')],
    ['p', () => onPanel('participants')],
    ['r', () => void toggleHand(meeting)],
    ['w', () => toggleLayout()],
    ['s', () => toggleFullScreen()],
    ['i', onFloat],
    ['t', onStatistics],
    ['0', () => useTalk.getState().pin(null)],
    ...PLACES.map((place): [string, () => void] => [`${place}`, () => pinPlace(meeting, place)]),
    ['shift+?', onHelp],
  ];
  const heeded = keys.map(([key, does]): [string, () => void] => [
    key,
    () => {
      if (!isCovered()) does();
    },
  ]);
  useHotkeys(isOn ? heeded : []);

  useEffect(() => {
    if (isOn) return talkBySpace(meeting, isCovered);
  }, [meeting, isOn]);
}

/** Keys of the first nine others, in order of coming. */
const PLACES = [1, 2, 3, 4, 5, 6, 7, 8, 9];

function pinPlace(meeting: Meeting, place: number): void {
  const others = meeting.state.participants.filter(({ id }) => id !== meeting.you);
  const other = others[place - 1];
  if (other) useTalk.getState().pin(other.id);
}

export function toggleLayout(): void {
  const { layout, remember } = useSettings.getState();
  remember({ layout: layout === 'speaker' ? 'gallery' : 'speaker' });
}

export function ShortcutHelp({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  const { t } = useTranslation();
  const { shortcuts, remember } = useSettings();
  return (
    <Sheet opened={opened} onClose={onClose} title={t('keys.title')} size="sm">
      <Switch
        mb="sm"
        label={t('keys.on')}
        checked={shortcuts}
        onChange={event => remember({ shortcuts: event.currentTarget.checked })}
        data-testid="keys-on"
      />
      <Table withRowBorders={false} verticalSpacing={6} data-testid="shortcut-help">
        <Table.Tbody>
          {KEYS.map(([key, does]) => (
            <Table.Tr key={key}>
              <Table.Td w={70}>
                <Kbd>{key === '␣' ? t('keys.space') : key}</Kbd>
              </Table.Td>
              <Table.Td>{t(`keys.${does}`)}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Sheet>
  );
}
