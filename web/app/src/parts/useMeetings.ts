import type { OwnMeeting } from '@huitong/sdk';
import { useCallback, useEffect, useRef, useState } from 'react';
import { rest } from '../rest';

export type Period = 'upcoming' | 'past';

/** How long a deletion can be taken back. */
const UNDO_MS = 6_000;

/** One row of a list: a series has one for each time. */
export const keyOf = ({ id, occurrence = '' }: OwnMeeting): string => `${id} ${occurrence}`;

/** What is to be deleted: one time of a series, or all of it. */
export interface Deletion {
  meeting: OwnMeeting;
  isSeries: boolean;
}

const isGone = ({ meeting, isSeries }: Deletion, row: OwnMeeting): boolean =>
  isSeries ? row.id === meeting.id : keyOf(row) === keyOf(meeting);

function carryOut({ meeting, isSeries }: Deletion): Promise<void> {
  return isSeries || !meeting.occurrence
    ? rest.deleteMeeting(meeting.id)
    : rest.deleteOccurrence(meeting.id, meeting.occurrence);
}

/** My meetings of a period, found by a search; deleted ones vanish at once and come back if it is undone. */
export function useMeetings(period: Period, search: string) {
  const [meetings, setMeetings] = useState<OwnMeeting[] | null>(null);
  const [next, setNext] = useState<string | undefined>();
  /** Where what is shown goes on: an answer that goes on from elsewhere is to a search that is over. */
  const end = useRef<string | undefined>(undefined);
  const [problem, setProblem] = useState<unknown>(null);
  const [deletion, setDeletion] = useState<Deletion | null>(null);
  /** Being deleted: no longer to be undone, and not yet done. */
  const [leaving, setLeaving] = useState<readonly Deletion[]>([]);
  const pending = useRef<{ deletion: Deletion; timer: ReturnType<typeof setTimeout> } | null>(null);
  const [round, setRound] = useState(0);
  const reload = useCallback(() => setRound(now => now + 1), []);

  useEffect(() => {
    let isCurrent = true;
    rest.meetings({ period, search }).then(
      piece => {
        if (!isCurrent) return;
        setMeetings(piece.items);
        setNext((end.current = piece.next ?? undefined));
        setProblem(null);
      },
      (thrown: unknown) => {
        if (isCurrent) setProblem(thrown);
      },
    );
    return () => {
      isCurrent = false;
    };
  }, [period, search, round]);

  const more = async () => {
    const cursor = next;
    try {
      const piece = await rest.meetings({ period, search, cursor });
      if (end.current !== cursor) return;
      setMeetings(shown => [...(shown ?? []), ...piece.items]);
      setNext((end.current = piece.next ?? undefined));
    } catch (thrown) {
      if (end.current === cursor) setProblem(thrown);
    }
  };

  const finish = useCallback(() => {
    const waiting = pending.current;
    if (!waiting) return;
    pending.current = null;
    clearTimeout(waiting.timer);
    setDeletion(null);
    const { deletion } = waiting;
    setLeaving(others => [...others, deletion]);
    carryOut(deletion)
      .then(
        () => setMeetings(shown => shown?.filter(row => !isGone(deletion, row)) ?? null),
        (thrown: unknown) => setProblem(thrown),
      )
      .finally(() => {
        setLeaving(others => others.filter(other => other !== deletion));
        reload();
      });
  }, [reload]);
  // Whoever goes on to another page, or shuts this one, has not taken it back.
  useEffect(() => {
    window.addEventListener('pagehide', finish);
    return () => {
      window.removeEventListener('pagehide', finish);
      finish();
    };
  }, [finish]);

  const remove = (wanted: Deletion) => {
    finish();
    pending.current = { deletion: wanted, timer: setTimeout(finish, UNDO_MS) };
    setDeletion(wanted);
  };
  const undo = () => {
    if (pending.current) clearTimeout(pending.current.timer);
    pending.current = null;
    setDeletion(null);
  };
  const hidden = deletion ? [...leaving, deletion] : leaving;
  const shown = meetings?.filter(row => !hidden.some(one => isGone(one, row))) ?? null;
  return { meetings: shown, hasMore: next !== undefined, more, problem, deletion, remove, undo, reload };
}
