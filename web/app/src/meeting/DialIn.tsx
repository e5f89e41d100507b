import type { Info, MeetingView } from '@huitong/sdk';
import { ActionIcon, Anchor, CopyButton, Group, Stack, Text } from '@mantine/core';
import { Check, Copy } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { useInfo } from '../info';
import { inThrees, joinLink } from '../numbers';

/** How to come into this meeting: by link, by telephone, from a room system. */
export function DialIn({ meeting, password }: { meeting: MeetingView; password: string | undefined }) {
  const { t } = useTranslation();
  const info = useInfo();
  const { number } = meeting;
  return (
    <Stack gap="xs">
      <Line label={t('dial.link')} value={joinLink(info, number, password)} />
      <Line label={t('join.number')} value={inThrees(number)} copied={number} />
      {password && <Line label={t('join.password')} value={password} />}
      <DialNumbers info={info} number={number} password={password} />
    </Stack>
  );
}

interface DialNumbersProps {
  info: Info | null;
  number: string;
  password: string | undefined;
}

/** By telephone: numbers with all keys behind them where the operator has set any, else what to key in. */
export function DialNumbers({ info, number, password }: DialNumbersProps) {
  const { t } = useTranslation();
  const keys = `${number}#${password ? `,,${password}#` : ''}`;
  return (
    <>
      {info?.phones.map(phone => (
        <Line
          key={phone.number}
          label={phone.name || t('dial.number')}
          value={`${phone.number},,${keys}`}
          link={`tel:${phone.number},,${keys.replaceAll('#', '%23')}`}
          testid="dial-number"
        />
      ))}
      {info?.phones.length === 0 && <Line label={t('dial.keys')} value={keys} />}
      {info && <Line label={t('dial.sip')} value={sipAddress(info, number)} />}
    </>
  );
}

/** A meeting's SIP address; the port only where it isn't the usual one. */
export function sipAddress({ sip }: Info, number: string): string {
  const port = sip.udp ?? sip.tcp ?? 5060;
  return `sip:${number}@${sip.host}${port === 5060 ? '' : `:${port}`}`;
}

interface LineProps {
  label: string;
  value: string;
  copied?: string;
  /** What is opened by touching the value. */
  link?: string;
  testid?: string;
}

function Line({ label, value, copied = value, link, testid }: LineProps) {
  const { t } = useTranslation();
  return (
    <Group justify="space-between" wrap="nowrap" gap="xs">
      <div style={{ minWidth: 0 }}>
        <Text fz="xs" c="dimmed">
          {label}
        </Text>
        <Text fz="sm" style={{ overflowWrap: 'anywhere' }} data-testid={testid}>
          {link ? (
            <Anchor href={link} fz="sm">
              {value}
            </Anchor>
          ) : (
            value
          )}
        </Text>
      </div>
      <CopyButton value={copied} timeout={3000}>
        {({ copied: done, copy }) => (
          <ActionIcon
            variant="subtle"
            color={done ? 'teal' : 'gray'}
            aria-label={t('dial.copy', { what: label })}
            onClick={copy}
          >
            {done ? <Check size={16} /> : <Copy size={16} />}
          </ActionIcon>
        )}
      </CopyButton>
    </Group>
  );
}
