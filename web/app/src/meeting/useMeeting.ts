import type { Meeting, MeetingState, Participant, Shown, TrackKind } from '@huitong/sdk';
import { createContext, useCallback, useContext, useMemo, useSyncExternalStore } from 'react';

const MeetingContext = createContext<Meeting | null>(null);
export const MeetingProvider = MeetingContext.Provider;

/** The meeting one is in. */
export function useMeeting(): Meeting {
  const meeting = useContext(MeetingContext);
  if (!meeting) throw new Error('there is no meeting around this component');
  return meeting;
}

/** A part of its state; what is selected is compared by identity. */
export function useMeetingState<Part>(select: (state: MeetingState) => Part): Part {
  const meeting = useMeeting();
  const subscribe = useCallback((changed: () => void) => meeting.on('change', changed), [meeting]);
  return useSyncExternalStore(subscribe, () => select(meeting.state));
}

/** For the `ref` of what shows somebody's picture: only what is shown is received. Null shows nobody else's. */
export function useShown(
  participant: string | null,
  kind: TrackKind,
  pinned = false,
): (element: Element | null) => (() => void) | undefined {
  const meeting = useMeeting();
  return useCallback(
    (element: Element | null) =>
      element && participant ? meeting.shows(element, participant, kind, pinned) : undefined,
    [meeting, participant, kind, pinned],
  );
}

export function useMe(): Participant | undefined {
  return useMeetingState(({ participants, you }) => participants.find(({ id }) => id === you));
}

/** One's own network is poor, as the server has found. */
export function useIsPoor(): boolean {
  return useMe()?.network_poor === true;
}

/** Who is in one's own breakout room, or with one in the main room: whom one sees. */
export function useRoommates(): readonly Participant[] {
  const participants = useMeetingState(state => state.participants);
  const room = useMe()?.room;
  return useMemo(() => participants.filter(other => other.room === room), [participants, room]);
}

/** Host or co-host: whoever has a say about participants. */
export function useManages(): boolean {
  return (useMe()?.role ?? 'member') !== 'member';
}

/** Whether one has a say about this other one: the host is beyond a co-host's reach. */
export function useMayControl({ id, role }: Participant): boolean {
  const me = useMe();
  const manages = me !== undefined && me.role !== 'member';
  return manages && id !== me.id && (me.role === 'host' || role !== 'host');
}

/** What is shown besides screens, and by whom, where one sees it. */
export function useExhibit(): { by: Participant; what: Shown } | null {
  const shown = useMeetingState(state => state.meeting.shown);
  const roommates = useRoommates();
  const by = roommates.find(({ id }) => id === shown?.by);
  return useMemo(() => (shown && by ? { by, what: shown.what } : null), [shown, by]);
}

/** 共享锁定: only hosts share. */
export function useMayShare(): boolean {
  const isLocked = useMeetingState(state => state.meeting.share_locked);
  return useManages() || !isLocked;
}

export function useIsHost(): boolean {
  return useMe()?.role === 'host';
}
