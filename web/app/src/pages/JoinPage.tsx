import type { Ended, Meeting } from '@huitong/sdk';
import { Alert, Box, Card, Center, Loader, Title } from '@mantine/core';
import { Suspense, lazy, useEffect, useEffectEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useLocation, useParams } from 'react-router';
import { useAccount } from '../account';
import { embedded, isEmbedded } from '../embed/mode';
import { useLocalMedia } from '../media/local';
import { digitsOf, passwordOf } from '../numbers';
import { type Entry, JoinForm } from '../parts/JoinForm';
import { Page } from '../parts/Page';
import { problemText } from '../problems';
import { rest } from '../rest';
import { Over } from './Over';

// Fetched while one types one's name; the meeting's own code, while one looks at oneself.
const loadPreJoin = () => import('./PreJoin');
const PreJoin = lazy(() => loadPreJoin().then(({ PreJoin }) => ({ default: PreJoin })));
const loadRoom = () => import('../meeting/Room');
const Room = lazy(() => loadRoom().then(({ Room }) => ({ default: Room })));

type Stage =
  | { at: 'door' }
  | { at: 'mirror'; entry: Entry }
  | { at: 'meeting'; entry: Entry; meeting: Meeting }
  | { at: 'over'; entry: Entry; ended: Ended };

/** `/j/{number}`: the whole way into a meeting, through it, and out of it. */
export function JoinPage() {
  const { number = '' } = useParams();
  const { state, hash } = useLocation() as { state: Entry | null; hash: string };
  const account = useAccount(state => state.account);
  const closeDevices = useLocalMedia(state => state.closeAll);
  const [stage, setStage] = useState<Stage>(state ? { at: 'mirror', entry: state } : { at: 'door' });

  useEffect(() => closeDevices, [closeDevices]);
  useEffect(() => void loadPreJoin(), []);

  switch (stage.at) {
    case 'door':
      return account === undefined ? null : isEmbedded && embedded.name ? (
        <Knock
          number={digitsOf(number)}
          password={passwordOf(hash)}
          onEntry={entry => setStage({ at: 'mirror', entry })}
        />
      ) : (
        <Door
          number={digitsOf(number)}
          known={passwordOf(hash)}
          onEntry={entry => setStage({ at: 'mirror', entry })}
        />
      );
    case 'mirror':
      return (
        <Suspense fallback={<Waiting />}>
          <PreJoin
            entry={stage.entry}
            isDirect={embedded.isDirect}
            onShown={() => void loadRoom()}
            onJoined={(meeting, entry) => setStage({ at: 'meeting', entry, meeting })}
          />
        </Suspense>
      );
    case 'meeting':
      return (
        <Suspense fallback={<Waiting />}>
          <Room
            meeting={stage.meeting}
            password={stage.entry.password}
            onEnded={ended => {
              closeDevices();
              setStage({ at: 'over', entry: stage.entry, ended });
            }}
          />
        </Suspense>
      );
    case 'over':
      return <Over ended={stage.ended} onAgain={() => setStage({ at: 'mirror', entry: stage.entry })} />;
  }
}

/** The page around this one has said who comes: there is nothing to ask. */
function Knock({ number, password, onEntry }: KnockProps) {
  const { t } = useTranslation();
  const [problem, setProblem] = useState<unknown>(null);
  const found = useEffectEvent((door: Entry['door']) => onEntry({ door, name: embedded.name, password }));
  useEffect(() => {
    let isWanted = true;
    rest.meetingByNumber(number).then(
      door => isWanted && found(door),
      (thrown: unknown) => isWanted && setProblem(thrown),
    );
    return () => {
      isWanted = false;
    };
  }, [number]);
  return problem === null ? (
    <Waiting />
  ) : (
    <Alert color="red" variant="light" m="md" data-testid="join-problem">
      {problemText(t, problem)}
    </Alert>
  );
}

interface KnockProps {
  number: string;
  password: string | undefined;
  onEntry: (entry: Entry) => void;
}

interface DoorProps {
  number: string;
  known: string | undefined;
  onEntry: (entry: Entry) => void;
}

function Door({ number, known, onEntry }: DoorProps) {
  const { t } = useTranslation();
  return (
    <Page title={t('home.join')} width={440}>
      <Box pt={{ base: 0, sm: 'xl' }}>
        <Card withBorder radius="lg" padding="xl" shadow="sm">
          <Title order={1} fz="xl" mb="md">
            {t('home.join')}
          </Title>
          <JoinForm number={number} known={known} onEntry={onEntry} />
        </Card>
      </Box>
    </Page>
  );
}

function Waiting() {
  return (
    <Center h="100%">
      <Loader />
    </Center>
  );
}
