import type { Ended, Meeting } from '@huitong/sdk';
import { Box, Card, Center, Loader, Title } from '@mantine/core';
import { Suspense, lazy, useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useLocation, useParams } from 'react-router';
import { useAccount } from '../account';
import { useLocalMedia } from '../media/local';
import { digitsOf, passwordOf } from '../numbers';
import { type Entry, JoinForm } from '../parts/JoinForm';
import { Page } from '../parts/Page';
import { Over } from './Over';
import { PreJoin } from './PreJoin';

// The meeting's own code is fetched while one looks at oneself.
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

  switch (stage.at) {
    case 'door':
      return account === undefined ? null : (
        <Door
          number={digitsOf(number)}
          known={passwordOf(hash)}
          onEntry={entry => setStage({ at: 'mirror', entry })}
        />
      );
    case 'mirror':
      return (
        <PreJoin
          entry={stage.entry}
          onShown={() => void loadRoom()}
          onJoined={(meeting, entry) => setStage({ at: 'meeting', entry, meeting })}
        />
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

interface DoorProps {
  number: string;
  known: string | undefined;
  onEntry: (entry: Entry) => void;
}

function Door({ number, known, onEntry }: DoorProps) {
  const { t } = useTranslation();
  return (
    <Page width={440}>
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
