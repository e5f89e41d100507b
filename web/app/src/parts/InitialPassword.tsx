import { Button, Text } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { useAccount } from '../account';
import { rest } from '../rest';
import { NewPassword } from './NewPassword';
import { Sheet } from './Sheet';

/** 初始密码: asked for another after every login until there is one (L2). */
export function InitialPassword() {
  const { t } = useTranslation();
  const { account, initialPassword, ignore, renew } = useAccount();
  const change = async (password: string) => {
    await rest.changePassword(initialPassword ?? '', password);
    if (account) renew({ ...account, initial_password: false });
    ignore();
  };
  return (
    <Sheet
      opened={Boolean(account) && initialPassword !== null}
      onClose={ignore}
      title={t('password.initialTitle')}
      closeOnClickOutside={false}
    >
      <Text fz="sm" mb="md" data-testid="initial-password">
        {t('password.initial')}
      </Text>
      <NewPassword onSubmit={change}>
        <Button variant="default" onClick={ignore} data-testid="ignore-password">
          {t('password.ignore')}
        </Button>
      </NewPassword>
    </Sheet>
  );
}
