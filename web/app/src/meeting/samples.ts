import type { Meeting, MeetingStats } from '@huitong/sdk';
import { useEffect } from 'react';
import { create } from 'zustand';
import { type Sample, sampleOf } from './quality';

const INTERVAL_MS = 3_000;

/** Samples kept: five minutes. */
const KEPT = 100;

interface Samples {
  /** The newest last. */
  history: readonly Sample[];
  /** What the newest was made of. */
  stats: MeetingStats | null;
}

/** How the network did lately. */
export const useSamples = create<Samples>(() => ({ history: [], stats: null }));

/** Looks at it as long as the page shows the meeting. */
export function useSampling(meeting: Meeting): void {
  useEffect(() => {
    let before: { stats: MeetingStats; at: number } | null = null;
    const timer = setInterval(() => {
      void meeting.getStats().then(stats => {
        const at = performance.now();
        const { history } = useSamples.getState();
        const more = before ? [sampleOf(before.stats, stats, at - before.at)] : [];
        useSamples.setState({ history: [...history, ...more].slice(-KEPT), stats });
        meeting.tellFreezes(stats);
        before = { stats, at };
      });
    }, INTERVAL_MS);
    return () => {
      clearInterval(timer);
      useSamples.setState({ history: [], stats: null });
    };
  }, [meeting]);
}
