import type { Participant } from '@huitong/sdk';
import { Hand, MicOff, Phone, Pin, Star } from 'lucide-react';
import { type CSSProperties, memo } from 'react';
import { useTranslation } from 'react-i18next';
import { LiveVideo } from '../media/LiveVideo';
import { useLocalMedia } from '../media/local';
import { Bars } from './Bars';
import { Face } from './Face';
import { Reaction } from './Reaction';
import { PausedSign } from './PausedSign';
import styles from './Tile.module.css';
import { useTalk } from './talk';
import { attempt } from './controls';
import { useManages, useMeeting, useMeetingState, useShown } from './useMeeting';
import { Written } from '../parts/Written';

interface TileProps {
  participant: Participant;
  style?: CSSProperties | undefined;
  /** The one shown large. */
  large?: boolean;
}

/** One participant: the picture or what stands for it, the name, and who speaks. */
export const Tile = memo(function Tile({ participant, style, large }: TileProps) {
  const { t } = useTranslation();
  const meeting = useMeeting();
  const isSelf = participant.id === meeting.you;
  const isSpeaking =
    useMeetingState(({ speaking }) => speaking.includes(participant.id)) && !participant.muted;
  const received = useMeetingState(() => meeting.stream(participant.id, 'camera'));
  const ownCamera = useLocalMedia(state => state.camera);
  const picture = isSelf
    ? ownCamera && <LiveVideo key="own" track={ownCamera} mirrored />
    : participant.camera && received && <LiveVideo key="received" stream={received} />;
  const isPaused = useMeetingState(() => meeting.isPaused(participant.id, 'camera')) && participant.camera;
  const reaction = useTalk(({ reactions }) => reactions[participant.id]);
  const isPinned = useTalk(({ pinned }) => pinned === participant.id);
  const pin = useTalk(state => state.pin);
  const isSpotlit = useMeetingState(state => state.meeting.spotlight === participant.id);
  const { id, name, number, avatar, via, video, muted, hand, connected, network_poor } = participant;
  const mayLower = useManages() && !isSelf;
  const isReceived = !isSelf && (via !== 'phone' || video === true);
  const shown = useShown(isReceived ? id : null, 'camera', isPinned);
  return (
    <article
      ref={shown}
      className={styles.tile}
      style={style}
      data-large={large || undefined}
      data-lost={!connected || undefined}
      data-paused={isPaused || undefined}
      data-testid="tile"
      data-participant={participant.id}
      data-name={name}
      data-via={via}
      data-speaking={isSpeaking}
      data-muted={muted}
      data-hand={hand}
      data-spotlit={isSpotlit}
    >
      {/* The picture covers it as soon as there is one. */}
      <Face id={id} name={name} avatar={avatar} isPhone={via === 'phone'} className={styles.avatar} />
      {picture}
      {hand && !mayLower && (
        <span className={styles.hand} title={t('meeting.handUp')}>
          <Hand size={17} />
        </span>
      )}
      {hand && mayLower && (
        <button
          type="button"
          className={styles.hand}
          title={t('meeting.lowerHand')}
          aria-label={t('meeting.lowerHandOf', { name })}
          onClick={() => void attempt(() => meeting.lowerHand(id))}
          data-testid="tile-lower-hand"
        >
          <Hand size={17} />
        </button>
      )}
      {reaction && (
        <span key={reaction.id} className={styles.reaction} data-testid="reaction">
          <Reaction of={reaction.reaction} />
        </span>
      )}
      {!isSelf && (
        <button
          type="button"
          className={styles.pin}
          aria-pressed={isPinned}
          aria-label={t(isPinned ? 'meeting.unpinWhom' : 'meeting.pinWhom', { name })}
          onClick={() => pin(isPinned ? null : participant.id)}
          data-testid="tile-pin"
        >
          <Pin size={15} />
        </button>
      )}
      {!connected && <span className={styles.lost}>{t('meeting.lost')}</span>}
      {connected && isPaused && <PausedSign />}
      <footer className={styles.name}>
        {isSpotlit && <Star size={13} aria-label={t('meeting.spotlit')} />}
        {muted && <MicOff size={14} className={styles.muted} aria-label={t('meeting.muted')} />}
        {via === 'phone' && <Phone size={13} aria-label={t('meeting.byPhone')} />}
        {network_poor && connected && (
          <span role="img" className={styles.poor} aria-label={t('quality.poor')} data-testid="tile-network">
            <Bars grade="poor" size={14} />
          </span>
        )}
        <Written text={name} className={styles.text} />
        {isSelf && <span className={styles.you}>{t('meeting.you')}</span>}
        {number && number !== name && <span className={styles.number}>{number}</span>}
      </footer>
    </article>
  );
});
