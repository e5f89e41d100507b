import { lazy, Suspense } from 'react';
import { useTranslation } from 'react-i18next';
import { Sheet } from '../parts/Sheet';
import { useManages, useMeeting, useMeetingState } from './useMeeting';

// What nobody opens in most meetings is not fetched with them.
const Invitation = lazy(() =>
  import('../parts/Invitation').then(({ Invitation }) => ({ default: Invitation })),
);

const CallPhone = lazy(() => import('./CallPhone').then(({ CallPhone }) => ({ default: CallPhone })));

interface InviteProps {
  password: string | undefined;
  opened: boolean;
  onClose: () => void;
}

/** 会中邀请: the text for everybody to send on; mail, short messages and calls for the hosts (C22). */
export function Invite({ password, opened, onClose }: InviteProps) {
  const { t } = useTranslation();
  const seat = useMeeting().resume;
  const manages = useManages();
  const { id, number, title, dial_out: mayDial } = useMeetingState(state => state.meeting);
  return (
    <Sheet opened={opened} onClose={onClose} title={t('home.invite')}>
      {opened && (
        <Suspense>
          <Invitation
            meeting={{ id, number, title, password, seat }}
            maySend={manages}
            phone={manages && mayDial && <CallPhone to="phone" />}
            room={manages && mayDial && <CallPhone to="room" />}
          />
        </Suspense>
      )}
    </Sheet>
  );
}
