import type { Info, MeetingView } from '@huitong/sdk';
import { Anchor, Group, Stack, Text } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { useInfo } from '../info';
import { inThrees, joinLink } from '../numbers';
import { CopyButton } from '../parts/CopyButton';

/** How to come into this meeting: by link, by telephone, from a room system. */
export function DialIn({ meeting, password }: { meeting: MeetingView; password: string | undefined }) {
  const { t } = useTranslation();
  const info = useInfo();
  return (
    <Stack gap="xs">
      <Line label={t('dial.link')} value={joinLink(info, meeting.number, password)} />
      <DialNumbers info={info} number={meeting.number} password={password} />
    </Stack>
  );
}

interface DialNumbersProps {
  info: Info | null;
  number: string;
  password: string | undefined;
}

/** What who dials by hand needs, each on a line; then the same as one touch, and what a room system calls. */
export function DialNumbers({ info, number, password }: DialNumbersProps) {
  const { t } = useTranslation();
  const keys = `${number}#${password ? `,,${password}#` : ''}`;
  return (
    <>
      <AccessNumbers info={info} />
      <Line label={t('join.number')} value={inThrees(number)} text={number} />
      {password && <Line label={t('join.password')} value={password} />}
      {info?.phones.map(phone => (
        <Line
          key={phone.number}
          label={phone.name ? `${t('dial.oneTouch')} · ${phone.name}` : t('dial.oneTouch')}
          value={`${phone.number},,${keys}`}
          link={`tel:${phone.number},,${keys.replaceAll('#', '%23')}`}
          testid="dial-one-touch"
        />
      ))}
      {info?.phones.length === 0 && <Line label={t('dial.keys')} value={keys} />}
      {info && <Line label={t('dial.sip')} value={sipAddress(info, number)} />}
    </>
  );
}

/** The telephone numbers that lead here. */
export function AccessNumbers({ info }: { info: Info | null }) {
  const { t } = useTranslation();
  return info?.phones.map(({ name, number }) => (
    <Line
      key={number}
      label={name || t('dial.number')}
      value={number}
      link={`tel:${number}`}
      testid="dial-number"
    />
  ));
}

/** A meeting's SIP address; the port only where it isn't the usual one. */
export function sipAddress({ sip }: Info, number: string): string {
  const port = sip.udp ?? sip.tcp ?? 5060;
  return `sip:${number}@${sip.host}${port === 5060 ? '' : `:${port}`}`;
}

interface LineProps {
  label: string;
  value: string;
  /** What is copied, where that is another. */
  text?: string;
  /** What is opened by touching the value. */
  link?: string;
  testid?: string;
}

function Line({ label, value, text = value, link, testid }: LineProps) {
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
              <Keyed digits={value} />
            </Anchor>
          ) : (
            value
          )}
        </Text>
      </div>
      <CopyButton text={text} label={t('dial.copy', { what: label })} />
    </Group>
  );
}

/** A number that is dialled: it breaks after a pause, never within digits. */
function Keyed({ digits }: { digits: string }) {
  return (digits.match(/[^,]+,*/g) ?? []).map((part, at) => (
    <span key={at} style={{ display: 'inline-block' }}>
      {part}
    </span>
  ));
}
