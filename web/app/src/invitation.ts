import type { OwnMeeting } from '@huitong/sdk';
import type { TFunction } from 'i18next';
import { inThrees } from './numbers';

/** What an invited person needs, line by line; by telephone too. */
export function invitationText(t: TFunction, meeting: OwnMeeting): string {
  const lines = [
    t('invite.head', { title: meeting.title }),
    '',
    t('invite.link', { address: meeting.link }),
    t('invite.number', { number: inThrees(meeting.number) }),
    meeting.password ? t('invite.password', { password: meeting.password }) : null,
    t('invite.sip', { sip: meeting.dial.sip }),
    t('invite.oneTouch', { keys: meeting.dial.one_touch }),
  ];
  return lines.filter(line => line !== null).join('\n');
}
