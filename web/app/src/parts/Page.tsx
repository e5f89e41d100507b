import { Anchor, Box, Button, Container, Group, Text } from '@mantine/core';
import { LogOut } from 'lucide-react';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';
import { useAccount } from '../account';
import { Brand } from './Brand';
import { Preferences } from './Preferences';

/** Every page but the meeting: a head with who one is, and the rest. */
export function Page({ children, width = 980 }: { children: ReactNode; width?: number }) {
  const { t } = useTranslation();
  const account = useAccount(state => state.account);
  const logout = useAccount(state => state.logout);
  return (
    <Box mih="100%">
      <Box component="header" px="md" py={10}>
        <Group justify="space-between" wrap="nowrap">
          <Anchor component={Link} to="/" c="inherit" underline="never">
            <Brand />
          </Anchor>
          <Group gap="xs" wrap="nowrap">
            {account && (
              <>
                <Text fz="sm" truncate maw={140} title={account.site}>
                  {account.display_name}
                </Text>
                <Button
                  variant="subtle"
                  color="gray"
                  size="compact-sm"
                  leftSection={<LogOut size={15} />}
                  onClick={() => void logout()}
                  data-testid="logout"
                >
                  {t('account.logout')}
                </Button>
              </>
            )}
            <Preferences />
          </Group>
        </Group>
      </Box>
      <Container component="main" size={width} px="md" pt="md" pb={48}>
        {children}
      </Container>
    </Box>
  );
}
