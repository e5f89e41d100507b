import type { Participant } from '@huitong/sdk';
import { ActionIcon } from '@mantine/core';
import { useElementSize } from '@mantine/hooks';
import { ChevronLeft, ChevronRight } from 'lucide-react';
import { Suspense, lazy, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useSettings } from '../settings';
import { ScreenTile } from './ScreenTile';
import styles from './Stage.module.css';
import { Tile } from './Tile';
import { NO_PLACES, placed } from './gallery';
import { gridFor } from './grid';
import { spotlight } from './people';
import { useTalk } from './talk';
import { useExhibit, useMeetingState, useRoommates } from './useMeeting';

// Whiteboard, documents and the like are fetched when somebody first shows one.
const Shown = lazy(() => import('../sharing/Shown').then(({ Shown }) => ({ default: Shown })));

const GAP = 10;

/** Tiles a gallery page shows: as many pictures as are received and oneself; on a phone as many as can be told apart. */
const PAGE = 10;
const PAGE_NARROW = 6;

/** 演讲者视图 or 画廊视图 (C19); a shared screen is always large. */
export function Stage() {
  const layout = useSettings(state => state.layout);
  const shown = useExhibit();
  const hasScreen = useRoommates().some(({ screen }) => screen) || shown !== null;
  return (
    <section className={styles.stage} data-testid="stage" data-layout={layout}>
      {layout === 'gallery' && !hasScreen ? <Gallery /> : <Speaker />}
    </section>
  );
}

function Gallery() {
  const { t } = useTranslation();
  const { ref, width, height } = useElementSize();
  const participants = useRoommates();
  const [wantedPage, setPage] = useState(0);
  const size = width < 600 ? PAGE_NARROW : PAGE;
  const pages = Math.max(1, Math.ceil(participants.length / size));
  const page = Math.min(wantedPage, pages - 1);
  const order = useOrder(participants, page, size);
  const shown = order.slice(page * size, (page + 1) * size);
  const grid = gridFor(shown.length, width, height, GAP);
  return (
    <div className={styles.gallery}>
      <div ref={ref} className={styles.grid} style={{ gap: GAP }}>
        {width > 0 &&
          shown.map(participant => (
            <Tile
              key={participant.id}
              participant={participant}
              style={{ width: grid.width, height: grid.height }}
            />
          ))}
      </div>
      {pages > 1 && (
        <nav className={styles.pages}>
          <ActionIcon
            variant="default"
            aria-label={t('meeting.previousPage')}
            disabled={page === 0}
            onClick={() => setPage(page - 1)}
          >
            <ChevronLeft size={18} />
          </ActionIcon>
          <span>{t('meeting.page', { page: page + 1, pages })}</span>
          <ActionIcon
            variant="default"
            aria-label={t('meeting.nextPage')}
            disabled={page === pages - 1}
            onClick={() => setPage(page + 1)}
          >
            <ChevronRight size={18} />
          </ActionIcon>
        </nav>
      )}
    </div>
  );
}

/** Everybody in his place; who speaks is on the page that is looked at. */
function useOrder(participants: readonly Participant[], page: number, size: number): Participant[] {
  // Who spoke last and is silent now stays where he is.
  const active = useMeetingState(({ active, speaking }) =>
    active !== null && speaking.includes(active) ? active : null,
  );
  const you = useMeetingState(state => state.you);
  const [before, setPlaces] = useState(NO_PLACES);
  const ids = participants.map(({ id }) => id);
  const places = placed(before, ids, active, you, { page, size });
  if (places !== before) setPlaces(places);
  const byId = new Map(participants.map(participant => [participant.id, participant]));
  return places.order.flatMap(id => byId.get(id) ?? []);
}

function Speaker() {
  const pinned = useTalk(state => state.pinned);
  const [before, setBefore] = useState<string | null>(null);
  const participants = useRoommates();
  const chosen = useMeetingState(state => spotlight(state, before, pinned));
  // Whoever spoke last stays until somebody else speaks.
  if (chosen !== before) setBefore(chosen);
  const shown = useExhibit();
  const sharer = shown?.by ?? participants.findLast(({ screen }) => screen);
  const large = participants.find(({ id }) => id === chosen);
  const others = sharer ? participants : participants.filter(({ id }) => id !== chosen);
  return (
    <div className={styles.speaker}>
      <div className={styles.large}>
        {shown ? (
          <Suspense>
            <Shown participant={shown.by} what={shown.what} />
          </Suspense>
        ) : sharer ? (
          <ScreenTile key={sharer.id} participant={sharer} />
        ) : (
          large && <Tile key={large.id} participant={large} large />
        )}
      </div>
      {others.length > 0 && (
        <div className={styles.strip}>
          {others.map(participant => (
            <Tile key={participant.id} participant={participant} />
          ))}
        </div>
      )}
    </div>
  );
}
