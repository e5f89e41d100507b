import type { Ended, Meeting } from '@huitong/sdk';
import { Box, Card, Center, Loader, Title } from '@mantine/core';
import { Suspense, lazy, useEffect, useEffectEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useLocation, useParams } from 'react-router';
import { useAccount } from '../account';
import { embedded, isEmbedded } from '../embed/mode';
import { useInfo } from '../info';
import { useLocalMedia } from '../media/local';
import { digitsOf, passwordOf } from '../numbers';
import { ByPhone } from '../parts/ByPhone';
import { type Entry, JoinForm } from '../parts/JoinForm';
import { Page } from '../parts/Page';
import { rest } from '../rest';
import { forgetReload, keepEntry, reloadedEntry } from '../resume';
import { useSettings } from '../settings';
import { type Been, Over } from './Over';

// Fetched while one types one's name; the meeting's own code, while one looks at oneself.
const loadPreJoin = () => import('./PreJoin');
const PreJoin = lazy(() => loadPreJoin().then(({ PreJoin }) => ({ default: PreJoin })));
const loadRoom = () => import('../meeting/Room');
const Room = lazy(() => loadRoom().then(({ Room }) => ({ default: Room })));

type Stage =
  | { at: 'door'; isAsked?: boolean }
  | { at: 'mirror'; entry: Entry; isBack?: boolean }
  | { at: 'meeting'; entry: Entry; meeting: Meeting; since: number }
  | { at: 'over'; entry: Entry; ended: Ended; been: Been };

/** `/j/{number}`: the whole way into a meeting, through it, and out of it. */
export function JoinPage() {
  const { number = '' } = useParams();
  const { state, hash } = useLocation() as { state: Entry | null; hash: string };
  const account = useAccount(state => state.account);
  const remembered = useSettings(state => state.name);
  const closeDevices = useLocalMedia(state => state.closeAll);
  const [stage, setStage] = useState<Stage>(() => {
    const reloaded = reloadedEntry(digitsOf(number));
    if (reloaded) return { at: 'mirror', entry: reloaded, isBack: true };
    return state ? { at: 'mirror', entry: state } : { at: 'door' };
  });

  useEffect(() => forgetReload(), []);
  useEffect(() => closeDevices, [closeDevices]);
  useEffect(() => void loadPreJoin(), []);
  // Asked now: who has lost the server reads there how to call.
  useInfo();

  // A link that lets one in, and one who has been here before: there is nothing to ask but on the pre-join page (J5).
  const isLetIn = isEmbedded ? embedded.name !== '' : passwordOf(hash) !== undefined;
  const knownName = isLetIn ? embedded.name || (account?.display_name ?? remembered) : '';

  switch (stage.at) {
    case 'door':
      return account === undefined ? null : knownName && !stage.isAsked ? (
        <Knock
          number={digitsOf(number)}
          name={knownName}
          password={passwordOf(hash)}
          onEntry={entry => setStage({ at: 'mirror', entry })}
          onRefused={() => setStage({ at: 'door', isAsked: true })}
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
            isDirect={embedded.isDirect || stage.isBack === true}
            onShown={() => void loadRoom()}
            onJoined={(meeting, entry) => setStage({ at: 'meeting', entry, meeting, since: Date.now() })}
          />
        </Suspense>
      );
    case 'meeting':
      return (
        <Suspense fallback={<Waiting />}>
          <Room
            meeting={stage.meeting}
            password={stage.entry.password}
            onAway={() => keepEntry(stage.entry)}
            onEnded={(ended, wasRecorded) => {
              closeDevices();
              const { me, state } = stage.meeting;
              setStage({
                at: 'over',
                entry: stage.entry,
                ended,
                been: {
                  title: state.meeting.title,
                  ms: Date.now() - stage.since,
                  hasRecording: account !== null && me?.role === 'host' && wasRecorded,
                },
              });
            }}
          />
        </Suspense>
      );
    case 'over':
      return (
        <Over
          ended={stage.ended}
          been={stage.been}
          entry={stage.entry}
          onAgain={() => setStage({ at: 'mirror', entry: stage.entry })}
        />
      );
  }
}

interface KnockProps {
  number: string;
  name: string;
  password: string | undefined;
  onEntry: (entry: Entry) => void;
  /** There is no such meeting, or nobody says: the form does. */
  onRefused: () => void;
}

/** Who comes is known, and to what: one look at the door. */
function Knock({ number, name, password, onEntry, onRefused }: KnockProps) {
  const found = useEffectEvent((door: Entry['door']) => onEntry({ door, name, password }));
  const refused = useEffectEvent(onRefused);
  useEffect(() => {
    let isWanted = true;
    rest.meetingByNumber(number).then(
      door => isWanted && found(door),
      () => isWanted && refused(),
    );
    return () => {
      isWanted = false;
    };
  }, [number]);
  return <Waiting />;
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
          {!isEmbedded && (
            <Box mt="md">
              <ByPhone number={number} password={known} />
            </Box>
          )}
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
