import { Anchor, Box, Container, Group } from '@mantine/core';
import type { ReactNode } from 'react';
import { Link } from 'react-router';
import { useAccount } from '../account';
import { isEmbedded } from '../embed/mode';
import { AccountMenu } from './AccountMenu';
import { Brand } from './Brand';
import { InitialPassword } from './InitialPassword';
import { Preferences } from './Preferences';
import { usePageTitle } from './usePageTitle';

interface PageProps {
  /** What the browser's tab says. */
  title: string;
  children: ReactNode;
  width?: number;
}

/** Every page but the meeting: a head with who one is, and the rest. */
export function Page({ title, children, width = 980 }: PageProps) {
  usePageTitle(title);
  const account = useAccount(state => state.account);
  return (
    <Box mih="100%">
      <Box component="header" px="md" py={10} display={isEmbedded ? 'none' : undefined}>
        <Group justify="space-between" wrap="nowrap">
          <Anchor component={Link} to="/" c="inherit" underline="never">
            <Brand />
          </Anchor>
          <Group gap="xs" wrap="nowrap">
            {account && <AccountMenu account={account} />}
            <Preferences />
          </Group>
        </Group>
      </Box>
      <Container component="main" size={width} px="md" pt="md" pb={48}>
        {children}
      </Container>
      <InitialPassword />
    </Box>
  );
}
