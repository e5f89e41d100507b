import type { Account, OwnMeeting } from '@huitong/sdk';
import { Box, Button, Card, Divider, Text, Title } from '@mantine/core';
import { CalendarPlus, LogIn, Video } from 'lucide-react';
import { Suspense, lazy, useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link, useLocation, useNavigate } from 'react-router';
import { useAccount } from '../account';
import { ByPhone } from '../parts/ByPhone';
import { type Entry, JoinForm } from '../parts/JoinForm';
import { LoginForm } from '../parts/LoginForm';
import { Page } from '../parts/Page';
import styles from './HomePage.module.css';
import { Sheet } from '../parts/Sheet';

// What only those who are logged in see is fetched for them alone.
const InstantMeeting = lazy(() =>
  import('../parts/Desk').then(({ InstantMeeting }) => ({ default: InstantMeeting })),
);
const Invitation = lazy(() => import('../parts/Desk').then(({ Invitation }) => ({ default: Invitation })));
const MeetingList = lazy(() => import('../parts/Desk').then(({ MeetingList }) => ({ default: MeetingList })));

export function HomePage() {
  const account = useAccount(state => state.account);
  const navigate = useNavigate();
  // Until it is known whether somebody is logged in there is nothing right to show.
  if (account === undefined) return null;

  const enter = (entry: Entry) => void navigate(`/j/${entry.door.number}`, { state: entry });
  return account ? <Desk account={account} onEntry={enter} /> : <Reception onEntry={enter} />;
}

/** For whoever is not logged in: come in by number, or log in. */
function Reception({ onEntry }: { onEntry: (entry: Entry) => void }) {
  const { t } = useTranslation();
  return (
    <Page title={t('home.join')} width={860}>
      <Box className={styles.welcome}>
        <Title order={1} fz={30}>
          {t('home.welcome')}
        </Title>
        <Text c="dimmed" mt={6}>
          {t('home.welcomeText')}
        </Text>
      </Box>
      <Card withBorder padding={0} radius="lg" shadow="sm">
        <div className={styles.doors}>
          <section className={styles.door} aria-labelledby="join-title">
            <Title order={2} fz="lg" mb="md" id="join-title">
              {t('home.join')}
            </Title>
            <JoinForm onEntry={onEntry} />
            <Box mt="md">
              <ByPhone />
            </Box>
          </section>
          <Divider orientation="vertical" className={styles.upright} />
          <Divider className={styles.level} />
          <section className={styles.door} aria-labelledby="login-title">
            <Title order={2} fz="lg" mb="md" id="login-title">
              {t('login.title')}
            </Title>
            <LoginForm />
          </section>
        </div>
      </Card>
    </Page>
  );
}

/** What another page wants to be seen here. */
interface HomeState {
  invite?: OwnMeeting | null;
  period?: 'recordings';
}

/** For whoever is: meetings of one's own. */
function Desk({ account, onEntry }: { account: Account; onEntry: (entry: Entry) => void }) {
  const { t } = useTranslation();
  const { state } = useLocation() as { state: HomeState | null };
  const [period] = useState(state?.period);
  const [form, setForm] = useState<'instant' | 'join' | null>(null);
  // Whoever has just booked wants to tell others.
  const [invited, setInvited] = useState<OwnMeeting | null>(state?.invite ?? null);
  const navigate = useNavigate();
  useEffect(() => {
    // Asked once: not after a reload, nor of whoever logs in here next.
    if (state) void navigate('/', { replace: true, state: null });
  }, [state, navigate]);
  const close = () => setForm(null);
  const start = (meeting: OwnMeeting) => {
    const { id, number, title, state } = meeting;
    const password = meeting.password ?? undefined;
    const door = { id, number, title, state, needs_password: password !== undefined };
    onEntry({ door, name: account.display_name, password });
  };
  return (
    <Page title={t('home.meetings')} width={860}>
      <div className={styles.tiles}>
        <Button
          className={styles.tile}
          leftSection={<Video size={24} />}
          onClick={() => setForm('instant')}
          data-testid="instant-open"
        >
          {t('instant.name')}
        </Button>
        <Button
          component={Link}
          to="/book"
          className={styles.tile}
          variant="default"
          leftSection={<CalendarPlus size={24} />}
          data-testid="book-open"
        >
          {t('book.title')}
        </Button>
        <Button
          className={styles.tile}
          variant="default"
          leftSection={<LogIn size={24} />}
          onClick={() => setForm('join')}
          data-testid="join-open"
        >
          {t('home.join')}
        </Button>
      </div>
      <Title order={1} fz="lg" mt={36} mb="sm">
        {t('home.meetings')}
      </Title>
      <Suspense>
        <MeetingList begin={period} onStart={start} onInvite={setInvited} />
        <Sheet opened={form === 'instant'} onClose={close} title={t('instant.name')}>
          <InstantMeeting account={account} onStart={start} />
        </Sheet>
        <Sheet
          opened={invited !== null}
          onClose={() => setInvited(null)}
          title={t('invite.title')}
          centered
          size="lg"
        >
          {invited && <Invitation meeting={invited} />}
        </Sheet>
      </Suspense>
      <Sheet opened={form === 'join'} onClose={close} title={t('home.join')}>
        <JoinForm onEntry={onEntry} />
      </Sheet>
    </Page>
  );
}
