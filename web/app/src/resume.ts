import type { Meeting } from '@huitong/sdk';

/*
 * The secret of one's seat, kept by the tab: after a crash one sits down in the same place instead of beside oneself.
 */

const key = (meeting: string): string => `huitong.resume.${meeting}`;

export function keptResume(meeting: string): string | undefined {
  return sessionStorage.getItem(key(meeting)) ?? undefined;
}

export function keepResume(meeting: Meeting): void {
  if (meeting.resume) sessionStorage.setItem(key(meeting.state.meeting.id), meeting.resume);
}

export function forgetResume(meeting: Meeting): void {
  forgetSeat(meeting.state.meeting.id);
}

export function forgetSeat(meeting: string): void {
  sessionStorage.removeItem(key(meeting));
}
