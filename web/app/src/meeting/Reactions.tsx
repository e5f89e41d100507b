import { REACTIONS } from '@huitong/sdk';
import { Button, Popover } from '@mantine/core';
import { Hand, Smile } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { BarButton } from './BarButton';
import { Reaction } from './Reaction';
import styles from './Reactions.module.css';
import { attempt, toggleHand } from './controls';
import { useMe, useMeeting } from './useMeeting';

/** 举手 and reactions under one button: both say something without a word. */
export function Reactions() {
  const { t } = useTranslation();
  const meeting = useMeeting();
  const isHandUp = useMe()?.hand ?? false;
  const [isOpen, setOpen] = useState(false);
  return (
    <Popover opened={isOpen} onChange={setOpen} position="top" shadow="md" trapFocus returnFocus>
      <Popover.Target>
        <BarButton
          icon={isHandUp ? <Hand size={22} /> : <Smile size={22} />}
          label={t('reactions.title')}
          tone={isHandUp ? 'on' : undefined}
          onClick={() => setOpen(!isOpen)}
          data-testid="reactions"
        />
      </Popover.Target>
      <Popover.Dropdown p="xs">
        <div className={styles.row}>
          {REACTIONS.map(reaction => (
            <button
              key={reaction}
              type="button"
              className={styles.emoji}
              aria-label={t(`reactions.${reaction}`)}
              title={t(`reactions.${reaction}`)}
              onClick={() => {
                setOpen(false);
                void attempt(() => meeting.react(reaction));
              }}
              data-testid={`react-${reaction}`}
            >
              <Reaction of={reaction} />
            </button>
          ))}
        </div>
        <Button
          fullWidth
          mt={6}
          variant={isHandUp ? 'light' : 'default'}
          leftSection={<Hand size={17} />}
          onClick={() => {
            setOpen(false);
            void toggleHand(meeting);
          }}
          data-testid="toggle-hand"
        >
          {isHandUp ? t('meeting.lowerHand') : t('meeting.raiseHand')}
        </Button>
      </Popover.Dropdown>
    </Popover>
  );
}
