import { Button, type ButtonProps, Popover, Stack, Text } from '@mantine/core';
import { Phone } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { useInfo } from '../info';
import { AccessNumbers, DialNumbers } from '../meeting/DialIn';

interface ByPhoneProps extends ButtonProps {
  /** Of a meeting; without one it is keyed in on the telephone. */
  number?: string;
  password?: string | undefined;
}

/** 电话入会, one click away. */
export function ByPhone({ number, password, ...button }: ByPhoneProps) {
  const { t } = useTranslation();
  const info = useInfo();
  // Without a meeting and a number to call there is nothing to tell.
  if (!number && !info?.phones.length) return null;
  return (
    <Popover position="top-start" width={330} shadow="md" withArrow trapFocus returnFocus>
      <Popover.Target>
        <Button
          variant="subtle"
          size="compact-sm"
          leftSection={<Phone size={15} />}
          style={{ alignSelf: 'flex-start' }}
          data-testid="by-phone"
          {...button}
        >
          {t('meeting.byPhone')}
        </Button>
      </Popover.Target>
      <Popover.Dropdown>
        <Stack gap="xs" data-testid="dial-in-info">
          {number ? (
            <DialNumbers info={info} number={number} password={password} />
          ) : (
            <>
              <AccessNumbers info={info} />
              <Text fz="xs" c="dimmed">
                {t('dial.how')}
              </Text>
            </>
          )}
        </Stack>
      </Popover.Dropdown>
    </Popover>
  );
}
