import { Button } from '@mantine/core';
import { Volume2 } from 'lucide-react';
import { useCallback, useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useSettings } from '../settings';
import styles from './Room.module.css';
import { useMeetingState } from './useMeeting';

/** Plays every voice that is received. Slots last as long as the connection, so nothing is cut when they change hands. */
export function Voices() {
  const { t } = useTranslation();
  const received = useMeetingState(state => state.received);
  const [isBlocked, setBlocked] = useState(false);
  const [attempts, setAttempts] = useState(0);
  const block = useCallback(() => setBlocked(true), []);
  return (
    <>
      {received.map(
        ({ mid, kind, stream }) =>
          kind === 'audio' && <Voice key={mid} stream={stream} attempts={attempts} onBlocked={block} />,
      )}
      {isBlocked && (
        <div className={styles.banner}>
          <Button
            size="xs"
            leftSection={<Volume2 size={16} />}
            onClick={() => {
              setBlocked(false);
              setAttempts(attempts + 1);
            }}
            data-testid="enable-sound"
          >
            {t('meeting.enableSound')}
          </Button>
        </div>
      )}
    </>
  );
}

interface VoiceProps {
  stream: MediaStream;
  /** Grows when playing is to be tried again. */
  attempts: number;
  onBlocked: () => void;
}

function Voice({ stream, attempts, onBlocked }: VoiceProps) {
  const element = useRef<HTMLAudioElement>(null);
  const speaker = useSettings(state => state.speaker);

  useEffect(() => {
    const audio = element.current;
    if (!audio) return;
    audio.srcObject = stream;
    audio.play().catch((thrown: unknown) => {
      // Browsers refuse sound until somebody has touched the page.
      if (thrown instanceof DOMException && thrown.name === 'NotAllowedError') onBlocked();
    });
    return () => {
      audio.srcObject = null;
    };
  }, [stream, attempts, onBlocked]);

  useEffect(() => {
    const audio = element.current;
    // A loudspeaker that has gone leaves the system's choice.
    if (audio && 'setSinkId' in audio) audio.setSinkId(speaker).catch(() => undefined);
  }, [speaker]);

  return <audio ref={element} autoPlay data-testid="voice" />;
}
