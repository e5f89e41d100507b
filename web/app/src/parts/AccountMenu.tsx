import type { Account } from '@huitong/sdk';
import { Avatar, Menu, Text, UnstyledButton } from '@mantine/core';
import {
  Building2,
  ChevronDown,
  Headset,
  Info,
  KeyRound,
  LogOut,
  Phone,
  Settings,
  UserRound,
} from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';
import { useAccount } from '../account';
import { telLink, useInfo } from '../info';
import { initials } from '../names';
import { Written } from './Written';

/** Who one is, and what belongs to that. */
export function AccountMenu({ account }: { account: Account }) {
  const { t } = useTranslation();
  const logout = useAccount(state => state.logout);
  const support = useInfo()?.support;
  return (
    <Menu position="bottom-end" width={220} shadow="md">
      <Menu.Target>
        <UnstyledButton
          p={4}
          style={{ borderRadius: 8, display: 'flex', alignItems: 'center', gap: 8 }}
          data-testid="account-menu"
          data-initial={account.initial_password}
        >
          <Face account={account} size={30} />
          <Text fz="sm" truncate maw={140} className="hidden-on-phones">
            <Written text={account.display_name} />
          </Text>
          <ChevronDown size={15} aria-hidden />
        </UnstyledButton>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>{`${account.name} · ${account.site}`}</Menu.Label>
        <Menu.Item
          component={Link}
          to="/settings#profile"
          leftSection={<UserRound size={16} />}
          data-testid="open-profile"
        >
          {t('settings.profile')}
        </Menu.Item>
        <Menu.Item component={Link} to="/settings#password" leftSection={<KeyRound size={16} />}>
          {t('settings.password')}
        </Menu.Item>
        <Menu.Item
          component={Link}
          to="/settings#meeting"
          leftSection={<Settings size={16} />}
          data-testid="open-settings"
        >
          {t('settings.meeting')}
        </Menu.Item>
        {account.role !== 'member' && (
          <Menu.Item
            component={Link}
            to="/admin"
            leftSection={<Building2 size={16} />}
            data-testid="open-admin"
          >
            {t('settings.admin')}
          </Menu.Item>
        )}
        <Menu.Item component={Link} to="/settings#about" leftSection={<Info size={16} />}>
          {t('settings.about')}
        </Menu.Item>
        {support?.url && (
          <Menu.Item
            component="a"
            href={support.url}
            target="_blank"
            rel="noreferrer"
            leftSection={<Headset size={16} />}
            data-testid="menu-support"
          >
            {t('about.contact')}
          </Menu.Item>
        )}
        {support?.hotline && (
          <Menu.Item
            component="a"
            href={telLink(support.hotline)}
            leftSection={<Phone size={16} />}
            data-testid="menu-hotline"
          >
            {`${t('about.hotline')} ${support.hotline}`}
          </Menu.Item>
        )}
        <Menu.Divider />
        <Menu.Item leftSection={<LogOut size={16} />} onClick={() => void logout()} data-testid="logout">
          {t('account.logout')}
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}

/** 头像, or initials where there is none. */
export function Face({ account, size }: { account: Account; size: number }) {
  return (
    <Avatar
      src={account.avatar ?? null}
      size={size}
      radius="xl"
      color="lake"
      variant="light"
      alt=""
      aria-hidden
    >
      {initials(account.display_name)}
    </Avatar>
  );
}
